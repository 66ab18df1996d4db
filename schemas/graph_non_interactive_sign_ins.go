package schemas

// GraphNonInteractiveSignIns is the tenant's sign-ins without the user, each once.
var GraphNonInteractiveSignIns = &Table{
	Name: "graph_non_interactive_sign_ins", Version: 1, Format: JSON,
	Doc: "Sign-ins by clients on behalf of users, such as a renewed token, from GET /beta/auditLogs/signIns. " +
		"Read only when sources.non_interactive_sign_ins is true.",
	Grain:     "sign-in, once per id",
	Key:       []string{"id"},
	Partition: "event_date",
	Fields:    signInFields(),
	Ignored: append(ignoredOfSignIns(), // and what beta has besides
		"agent", "alternateSignInName", "appOwnerTenantId", "appTokenProtectionStatus", "appliedEventListeners",
		"authenticationAppPolicyEvaluationDetails", "authenticationContextClassReferences", "authenticationDetails",
		"authenticationMethodsUsed", "authenticationProcessingDetails", "authenticationProtocol", "authenticationRequirement",
		"authenticationRequirementPolicies", "autonomousSystemNumber", "azureResourceId", "clientCredentialType",
		"conditionalAccessAudiences", "crossTenantAccessType", "federatedCredentialId", "flaggedForReview",
		"globalSecureAccessIpAddress", "homeTenantName", "incomingTokenType", "ipAddressFromResourceProvider",
		"isTenantRestricted", "isThroughGlobalSecureAccess", "managedServiceIdentity", "mfaDetail", "networkLocationDetails",
		"originalRequestId", "originalTransferMethod", "privateLinkDetails", "processingTimeInMilliseconds",
		"resourceOwnerTenantId", "resourceServicePrincipalId", "servicePrincipalCredentialKeyId",
		"servicePrincipalCredentialThumbprint", "sessionId", "sessionLifetimePolicies", "signInIdentifier",
		"signInIdentifierType", "signInTokenProtectionStatus", "tokenIssuerName", "tokenIssuerType",
		"tokenProtectionStatusDetails", "uniqueTokenIdentifier", "userType",
	),
}
