package schemas

// GraphSignIns is the tenant's interactive sign-ins, each once.
var GraphSignIns = &Table{
	Name: "graph_sign_ins", Version: 1, Format: JSON,
	Doc:       "Sign-ins of users, from GET /v1.0/auditLogs/signIns.",
	Grain:     "sign-in, once per id",
	Key:       []string{"id"},
	Partition: "event_date",
	Fields:    signInFields(),
	Ignored:   ignoredOfSignIns(),
}

// signInFields are the columns of a table of sign-ins.
func signInFields() []Field {
	return []Field{
		tenantID(),
		{ID: 2, Name: "event_date", Kind: Date, Dict: true, Required: true, Doc: "UTC day of created_date_time. Computed."},
		{ID: 3, Name: "id", Kind: UUID, Required: true, From: "id", Doc: "Id of the sign-in."},
		{ID: 4, Name: "created_date_time", Kind: Timestamp, Required: true, From: "createdDateTime", Doc: "When it happened, UTC."},
		{ID: 5, Name: "user_id", Kind: UUID, Personal: ObjectID, From: "userId", Doc: "Object id of the user."},
		{ID: 6, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "userPrincipalName", Doc: "Sign-in name, lower case; guests as plain e-mail."},
		{ID: 7, Name: "user_display_name", Kind: String, Personal: PersonName, From: "userDisplayName", Doc: "Display name at that moment."},
		{ID: 8, Name: "app_id", Kind: UUID, Dict: true, From: "appId", Doc: "Application signed in to."},
		{ID: 9, Name: "app_display_name", Kind: String, Dict: true, From: "appDisplayName", Doc: "Its name."},
		{ID: 10, Name: "resource_id", Kind: UUID, Dict: true, From: "resourceId", Doc: "Resource the token was for."},
		{ID: 11, Name: "resource_display_name", Kind: String, Dict: true, From: "resourceDisplayName", Doc: "Its name."},
		{ID: 12, Name: "client_app_used", Kind: String, Dict: true, From: "clientAppUsed", Doc: "Kind of client, such as Browser."},
		{ID: 13, Name: "is_interactive", Kind: Bool, From: "isInteractive", Doc: "Whether the user took part."},
		{ID: 14, Name: "ip_address", Kind: String, Personal: Place, From: "ipAddress", Doc: "Address of the client."},
		{ID: 15, Name: "correlation_id", Kind: UUID, From: "correlationId", Doc: "Correlation id of the client."},
		{ID: 16, Name: "conditional_access_status", Kind: String, Dict: true, From: "conditionalAccessStatus", Doc: "success, failure or notApplied."},
		{ID: 17, Name: "risk_state", Kind: String, Dict: true, From: "riskState", Doc: "Risk state."},
		{ID: 18, Name: "risk_level_aggregated", Kind: String, Dict: true, From: "riskLevelAggregated", Doc: "Aggregated risk level."},
		{ID: 19, Name: "status_error_code", Kind: Int32, From: "status.errorCode", Doc: "0 for success, else the AADSTS number."},
		{ID: 20, Name: "status_failure_reason", Kind: String, Dict: true, From: "status.failureReason", Doc: "Text of the failure; Other. on success."},
		{ID: 21, Name: "device_operating_system", Kind: String, Dict: true, From: "deviceDetail.operatingSystem", Doc: "Operating system of the device."},
		{ID: 22, Name: "device_browser", Kind: String, Dict: true, From: "deviceDetail.browser", Doc: "Browser."},
		{ID: 23, Name: "device_is_managed", Kind: Bool, From: "deviceDetail.isManaged", Doc: "Whether the device is managed."},
		{ID: 24, Name: "device_trust_type", Kind: String, Dict: true, From: "deviceDetail.trustType", Doc: "How the device is joined."},
		{ID: 25, Name: "location_city", Kind: String, Dict: true, From: "location.city", Doc: "City of the address."},
		{ID: 26, Name: "location_country_or_region", Kind: String, Dict: true, From: "location.countryOrRegion", Doc: "ISO 3166 alpha-2 country of the address."},
		{ID: 27, Name: "service", Kind: String, Dict: true, Doc: "Which of the four sign-in services the application belongs to; null for none. Computed by the sign-in rules."},
		{ID: 28, Name: "service_rule", Kind: String, Dict: true, Doc: "Name of the rule that said so. Computed by the sign-in rules."},
	}
}

// ignoredOfSignIns are the properties of v1.0 that no column holds.
func ignoredOfSignIns() []string {
	return []string{
		"riskDetail", "riskLevelDuringSignIn", "riskEventTypes", "riskEventTypes_v2", "appliedConditionalAccessPolicies",
		"authenticationAppDeviceDetails", "status.additionalDetails", "deviceDetail.deviceId", "deviceDetail.displayName",
		"deviceDetail.isCompliant", "location.state", "location.geoCoordinates", "homeTenantId", "resourceTenantId",
		"servicePrincipalId", "servicePrincipalName", "userAgent", "signInEventTypes",
	}
}
