package schemas

// GraphSubscribedSkus is what the tenant has bought, one row per SKU.
var GraphSubscribedSkus = &Table{
	Name: "graph_subscribed_skus", Version: 1, Format: JSON,
	Doc:       "Subscribed SKUs with their units, from GET /v1.0/subscribedSkus.",
	Grain:     "SKU",
	Key:       []string{"sku_id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "sku_id", Kind: UUID, Required: true, From: "skuId", Doc: "SKU, the key of every licence figure."},
		{ID: 4, Name: "sku_part_number", Kind: String, From: "skuPartNumber", Doc: "Microsoft's part number, such as SPE_E5."},
		{ID: 5, Name: "account_id", Kind: UUID, Dict: true, From: "accountId", Doc: "Account that owns the subscription."},
		{ID: 6, Name: "account_name", Kind: String, Dict: true, From: "accountName", Doc: "Name of that account."},
		{ID: 7, Name: "applies_to", Kind: String, Dict: true, From: "appliesTo", Doc: "User or Company; only User SKUs are assigned to people."},
		{ID: 8, Name: "capability_status", Kind: String, Dict: true, From: "capabilityStatus", Doc: "Enabled, Warning, Suspended, Deleted or LockedOut."},
		{ID: 9, Name: "consumed_units", Kind: Int32, From: "consumedUnits", Doc: "Units assigned, as Graph counts them."},
		{ID: 10, Name: "enabled_units", Kind: Int32, From: "prepaidUnits.enabled", Doc: "Units paid and in force."},
		{ID: 11, Name: "warning_units", Kind: Int32, From: "prepaidUnits.warning", Doc: "Units in their grace period after expiry; still assignable."},
		{ID: 12, Name: "suspended_units", Kind: Int32, From: "prepaidUnits.suspended", Doc: "Units suspended after the grace period; not assignable."},
		{ID: 13, Name: "locked_out_units", Kind: Int32, From: "prepaidUnits.lockedOut", Doc: "Units of cancelled subscriptions."},
		{ID: 14, Name: "subscription_ids", Kind: List, From: "subscriptionIds", Doc: "Subscriptions that make up the SKU.",
			Elem: &Field{ID: 15, Name: "element", Kind: String, Doc: "One subscription id."}},
		{ID: 16, Name: "service_plans", Kind: List, From: "servicePlans", Doc: "Service plans of the SKU, as this tenant has them.",
			Elem: &Field{ID: 17, Name: "element", Kind: Struct, Doc: "One plan.", Fields: []Field{
				{ID: 18, Name: "service_plan_id", Kind: UUID, From: "servicePlanId", Doc: "Service plan."},
				{ID: 19, Name: "service_plan_name", Kind: String, From: "servicePlanName", Doc: "Microsoft's name of the plan."},
				{ID: 20, Name: "provisioning_status", Kind: String, Dict: true, From: "provisioningStatus", Doc: "Success, Disabled, Error, PendingInput, PendingActivation or PendingProvisioning."},
				{ID: 21, Name: "applies_to", Kind: String, Dict: true, From: "appliesTo", Doc: "User or Company."},
			}}},
	},
	Ignored: []string{"id"},
}
