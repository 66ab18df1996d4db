package schemas

// GraphServicePlans is the plans of every subscribed SKU, one row each. The
// transform service plans makes it from the subscribedSkus page.
var GraphServicePlans = &Table{
	Name: "graph_service_plans", Version: 1,
	Doc:       "Service plans of the tenant's SKUs, from the servicePlans of GET /v1.0/subscribedSkus.",
	Grain:     "SKU x service plan",
	Key:       []string{"sku_id", "service_plan_id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "sku_id", Kind: UUID, Dict: true, Required: true, Doc: "SKU. Computed from the row the plan stands in."},
		{ID: 4, Name: "service_plan_id", Kind: UUID, Dict: true, Required: true, Doc: "Service plan. Computed from servicePlans."},
		{ID: 5, Name: "service_plan_name", Kind: String, Dict: true, Doc: "Microsoft's name of the plan. Computed from servicePlans."},
		{ID: 6, Name: "provisioning_status", Kind: String, Dict: true, Doc: "Success, Disabled, Error, PendingInput, PendingActivation or PendingProvisioning. Computed from servicePlans."},
		{ID: 7, Name: "applies_to", Kind: String, Dict: true, Doc: "User or Company. Computed from servicePlans."},
	},
}
