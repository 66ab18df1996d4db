package schemas

// GraphUserLicenses is licence differentiation: what each licence of each user
// entitles. The transform licenses makes it from the users' pages.
var GraphUserLicenses = &Table{
	Name: "graph_user_licenses", Version: 1,
	Doc:       "Licences of each user by the services they entitle, from the users' assignedLicenses and licenseAssignmentStates.",
	Grain:     "user x SKU x service; one row with a null service for a SKU that entitles none of the eleven services",
	Key:       []string{"user_id", "sku_id", "service"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "user_id", Kind: UUID, Required: true, Personal: ObjectID, Doc: "Object id of the user. Computed from the users page's id."},
		{ID: 4, Name: "sku_id", Kind: UUID, Dict: true, Required: true, Doc: "SKU. Computed from assignedLicenses and licenseAssignmentStates."},
		{ID: 5, Name: "service", Kind: String, Dict: true, Doc: "One of the eleven services that an enabled plan of the SKU entitles; null when none does. Computed by the service map."},
		{ID: 6, Name: "holds_seat", Kind: Bool, Required: true, Doc: "Whether the user holds the licence (it is in assignedLicenses). False for an assignment that failed. Computed."},
		{ID: 7, Name: "assigned_by", Kind: String, Dict: true, Doc: "direct, group or both; null when Graph gave no assignment state. Computed."},
		{ID: 8, Name: "assigned_by_groups", Kind: List, Doc: "Groups that assign the SKU, in the order of Graph's answer. Computed.",
			Elem: &Field{ID: 9, Name: "element", Kind: UUID, Dict: true, Doc: "One group."}},
		{ID: 10, Name: "assigned_date_time", Kind: Timestamp, Doc: "Since when the licence is held: the earliest lastUpdatedDateTime of its working assignments, UTC. Computed."},
		{ID: 11, Name: "assignment_state", Kind: String, Dict: true, Doc: "Worst state over the SKU's assignments: Error, ActiveWithError, Disabled or Active. Computed."},
		{ID: 12, Name: "assignment_error", Kind: String, Dict: true, Doc: "Error of the first failed assignment of the SKU; null when all is well. Computed."},
		{ID: 13, Name: "enabled_plans", Kind: Int32, Required: true, Doc: "Count of the SKU's service plans that are not switched off. Computed."},
		{ID: 14, Name: "disabled_plans", Kind: Int32, Required: true, Doc: "Count of the SKU's service plans that are switched off for the user. Computed."},
		{ID: 15, Name: "disabled_plan_ids", Kind: List, Doc: "Service plans of the SKU that are switched off for the user, by id; null in files of before the column was added. Computed.",
			Elem: &Field{ID: 16, Name: "element", Kind: UUID, Dict: true, Doc: "One service plan."}},
	},
}
