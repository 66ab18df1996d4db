package schemas

// GraphSubscriptions is the commercial subscriptions behind the tenant's SKUs. Of
// one SKU there may be several, each with its own state and date of renewal.
var GraphSubscriptions = &Table{
	Name: "graph_subscriptions", Version: 1, Format: JSON,
	Doc:       "Commercial subscriptions with their units and next date, from GET /v1.0/directory/subscriptions. Optional: needs Organization.Read.All.",
	Grain:     "subscription",
	Key:       []string{"id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "id", Kind: UUID, Required: true, From: "id", Doc: "Subscription; one of subscription_ids of graph_subscribed_skus."},
		{ID: 4, Name: "commerce_subscription_id", Kind: UUID, From: "commerceSubscriptionId", Doc: "The subscription's id in Microsoft's commerce system."},
		{ID: 5, Name: "sku_id", Kind: UUID, Dict: true, Required: true, From: "skuId", Doc: "SKU whose units it adds to."},
		{ID: 6, Name: "sku_part_number", Kind: String, Dict: true, From: "skuPartNumber", Doc: "Microsoft's part number of the SKU."},
		{ID: 7, Name: "status", Kind: String, Dict: true, From: "status", Doc: "Enabled, Warning, Suspended, Deleted or LockedOut."},
		{ID: 8, Name: "total_licenses", Kind: Int32, From: "totalLicenses", Doc: "Units of the subscription."},
		{ID: 9, Name: "is_trial", Kind: Bool, From: "isTrial", Doc: "Whether it is a trial."},
		{ID: 10, Name: "created_date_time", Kind: Timestamp, From: "createdDateTime", Doc: "When it was made, UTC."},
		{ID: 11, Name: "next_lifecycle_date_time", Kind: Timestamp, From: "nextLifecycleDateTime", Doc: "When it moves to its next state unless it is renewed, UTC: renewal or expiry."},
		{ID: 12, Name: "owner_id", Kind: UUID, Personal: ObjectID, Whose: Other, Dict: true, From: "ownerId", Doc: "Who owns it within the tenant."},
		{ID: 13, Name: "owner_tenant_id", Kind: UUID, Dict: true, From: "ownerTenantId", Doc: "Directory id of the partner that sold it; null when bought directly."},
		{ID: 14, Name: "owner_type", Kind: String, Dict: true, From: "ownerType", Doc: "What the owner is, such as User."},
	},
	Ignored: []string{"serviceStatus", "ocpSubscriptionId"},
}
