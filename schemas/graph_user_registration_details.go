package schemas

// GraphUserRegistrationDetails is what each user has registered to prove an
// identity with.
var GraphUserRegistrationDetails = &Table{
	Name: "graph_user_registration_details", Version: 1, Format: JSON,
	Doc:       "Authentication methods that users have registered, from GET /v1.0/reports/authenticationMethods/userRegistrationDetails. Optional: needs AuditLog.Read.All and Entra ID P1 or P2.",
	Grain:     "user",
	Key:       []string{"id"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "id", Kind: UUID, Required: true, Personal: ObjectID, From: "id", Doc: "Object id of the user."},
		{ID: 4, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "userPrincipalName", Doc: "Sign-in name."},
		{ID: 5, Name: "user_display_name", Kind: String, Personal: PersonName, From: "userDisplayName", Doc: "Display name."},
		{ID: 6, Name: "user_type", Kind: String, Dict: true, From: "userType", Doc: "member or guest, in lower case."},
		{ID: 7, Name: "is_admin", Kind: Bool, From: "isAdmin", Doc: "Whether the user holds a role of an administrator."},
		{ID: 8, Name: "is_mfa_registered", Kind: Bool, From: "isMfaRegistered", Doc: "Whether any strong method is registered, allowed by policy or not."},
		{ID: 9, Name: "is_mfa_capable", Kind: Bool, From: "isMfaCapable", Doc: "Whether a strong method is registered that policy allows."},
		{ID: 10, Name: "is_passwordless_capable", Kind: Bool, From: "isPasswordlessCapable", Doc: "Whether a method without password is registered that policy allows."},
		{ID: 11, Name: "is_sspr_registered", Kind: Bool, From: "isSsprRegistered", Doc: "Whether enough methods are registered to reset the password oneself."},
		{ID: 12, Name: "is_sspr_enabled", Kind: Bool, From: "isSsprEnabled", Doc: "Whether policy lets the user reset the password."},
		{ID: 13, Name: "is_sspr_capable", Kind: Bool, From: "isSsprCapable", Doc: "Whether both hold: registered and enabled."},
		{ID: 14, Name: "is_system_preferred_authentication_method_enabled", Kind: Bool, From: "isSystemPreferredAuthenticationMethodEnabled", Doc: "Whether the system chooses the strongest method."},
		{ID: 15, Name: "methods_registered", Kind: List, From: "methodsRegistered", Doc: "Methods the user has registered.",
			Elem: &Field{ID: 16, Name: "element", Kind: String, Dict: true, Doc: "One method, such as microsoftAuthenticatorPush."}},
		{ID: 17, Name: "system_preferred_authentication_methods", Kind: List, From: "systemPreferredAuthenticationMethods", Doc: "Methods the system prefers for the user.",
			Elem: &Field{ID: 18, Name: "element", Kind: String, Dict: true, Doc: "One method, such as push."}},
		{ID: 19, Name: "user_preferred_method_for_secondary_authentication", Kind: String, Dict: true, From: "userPreferredMethodForSecondaryAuthentication", Doc: "Second factor the user prefers, such as push, oath or sms; empty or none for none."},
		{ID: 20, Name: "last_updated_date_time", Kind: Timestamp, From: "lastUpdatedDateTime", Doc: "When Graph last worked the row out, UTC."},
	},
	Ignored: []string{"defaultMfaMethod"},
}
