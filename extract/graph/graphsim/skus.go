package graphsim

import "strings"

// service is a set of the eleven services.
type service uint16

// The services, in the order of their labels.
const (
	exchange service = 1 << iota
	oneDrive
	sharePoint
	skype
	yammer
	teams
	outlook
	dynamics
	powerBI
	project
	visio
)

// reported are the services that usage reports measure; signedIn those that
// sign-ins do.
const (
	reported = exchange | oneDrive | sharePoint | skype | yammer | teams | outlook
	signedIn = dynamics | powerBI | project | visio
)

const services = 11

// labels are the names of the services as the marts print them.
var labels = [services]string{
	"Microsoft Exchange Server", "OneDrive", "SharePoint", "Skype for Business", "Yammer", "Microsoft Teams",
	"Outlook", "Dynamics 365", "Power BI", "Project", "Visio",
}

// sku is a product of the simulated tenant.
type sku struct {
	id, part, name string
	plans          string // names of its service plans, blank-separated
	class          string // paid when empty
	company        bool   // applies to the company, not to users
	status         string // Enabled when empty
	unlisted       bool   // not in the public product catalogue
}

// The SKUs of the tenant, as indexes of skus.
const (
	e5 = iota
	e3
	f3
	businessPremium
	officeE1
	officeE3
	exchangeP1
	appsEnterprise
	emsE3
	entraP2
	powerBIPro
	visioP2
	projectP3
	copilot
	flowFree
	fabricFree
	businessCentral
	teamsPhone
	audioConferencing
	defenderEndpoint
	securityE5
	oneDriveP1
	extraStorage
	visioP1
	projectPremium
	frontier
	skuCount
)

// skus are real products; the public list of product names and service plan
// identifiers has their ids. The plans are a selection of the real ones that keeps
// those which entitle a service and some which look as if they did. The last one is
// too new for any published list, and its plans are known.
var skus = [skuCount]sku{
	e5: {
		id: "06ebc4ee-1bb5-47dd-8120-11324bc54e06", part: "SPE_E5", name: "Microsoft 365 E5",
		plans: "EXCHANGE_S_ENTERPRISE SHAREPOINTENTERPRISE MCOSTANDARD YAMMER_ENTERPRISE TEAMS1 BI_AZURE_P2 OFFICESUBSCRIPTION SHAREPOINTWAC MCOMEETADV MCOEV PROJECT_O365_P3 FLOW_O365_P3 DYN365_CDS_O365_P3 AAD_PREMIUM AAD_PREMIUM_P2 INTUNE_A RMS_S_ENTERPRISE WINDEFATP EXCHANGE_ANALYTICS SWAY",
	},
	e3: {
		id: "05e9a617-0261-4cee-bb44-138d3ef5d965", part: "SPE_E3", name: "Microsoft 365 E3",
		plans: "EXCHANGE_S_ENTERPRISE SHAREPOINTENTERPRISE MCOSTANDARD YAMMER_ENTERPRISE TEAMS1 OFFICESUBSCRIPTION SHAREPOINTWAC PROJECT_O365_P2 FLOW_O365_P2 DYN365_CDS_O365_P2 AAD_PREMIUM INTUNE_A RMS_S_ENTERPRISE SWAY",
	},
	f3: {
		id: "66b55226-6b4f-492c-910c-a3b7a3c9d993", part: "SPE_F1", name: "Microsoft 365 F3",
		plans: "EXCHANGE_S_DESKLESS SHAREPOINTDESKLESS MCOIMP YAMMER_ENTERPRISE TEAMS1 OFFICEMOBILE_SUBSCRIPTION SHAREPOINTWAC PROJECT_O365_F3 FLOW_O365_S1 AAD_PREMIUM INTUNE_A",
	},
	businessPremium: {
		id: "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", part: "SPB", name: "Microsoft 365 Business Premium",
		plans: "EXCHANGE_S_STANDARD EXCHANGE_S_ARCHIVE_ADDON EXCHANGE_S_FOUNDATION SHAREPOINTSTANDARD MCOSTANDARD YAMMER_ENTERPRISE TEAMS1 OFFICE_BUSINESS SHAREPOINTWAC PROJECT_O365_P3 DYN365BC_MS_INVOICING AAD_PREMIUM INTUNE_A",
	},
	officeE1: {
		id: "18181a46-0d4e-45cd-891e-60aabd171b4e", part: "STANDARDPACK", name: "Office 365 E1",
		plans: "EXCHANGE_S_STANDARD SHAREPOINTSTANDARD MCOSTANDARD YAMMER_ENTERPRISE TEAMS1 OFFICEMOBILE_SUBSCRIPTION SHAREPOINTWAC PROJECT_O365_P1 FLOW_O365_P1 SWAY",
	},
	officeE3: {
		id: "6fd2c87f-b296-42f0-b197-1e91e994b900", part: "ENTERPRISEPACK", name: "Office 365 E3",
		plans: "EXCHANGE_S_ENTERPRISE SHAREPOINTENTERPRISE MCOSTANDARD YAMMER_ENTERPRISE TEAMS1 OFFICESUBSCRIPTION SHAREPOINTWAC PROJECT_O365_P2 FLOW_O365_P2 RMS_S_ENTERPRISE SWAY",
	},
	exchangeP1: {
		id: "4b9405b0-7788-4568-add1-99614e613b69", part: "EXCHANGESTANDARD", name: "Exchange Online (Plan 1)",
		plans: "EXCHANGE_S_STANDARD INTUNE_O365 BPOS_S_TODO_1",
	},
	appsEnterprise: {
		id: "c2273bd0-dff7-4215-9ef5-2c7bcfb06425", part: "OFFICESUBSCRIPTION", name: "Microsoft 365 Apps for Enterprise",
		plans: "OFFICESUBSCRIPTION ONEDRIVESTANDARD SHAREPOINTWAC EXCHANGE_S_FOUNDATION SWAY",
	},
	emsE3: {
		id: "efccb6f7-5641-4e0e-bd10-b4976e1bf68e", part: "EMS", name: "Enterprise Mobility + Security E3",
		plans: "AAD_PREMIUM RMS_S_PREMIUM ADALLOM_S_DISCOVERY EXCHANGE_S_FOUNDATION RMS_S_ENTERPRISE MFA_PREMIUM INTUNE_A",
	},
	entraP2: {
		id: "84a661c4-e949-4bd2-a560-ed7766fcaf2b", part: "AAD_PREMIUM_P2", name: "Microsoft Entra ID P2",
		plans: "AAD_PREMIUM AAD_PREMIUM_P2 ADALLOM_S_DISCOVERY EXCHANGE_S_FOUNDATION MFA_PREMIUM",
	},
	powerBIPro: {
		id: "f8a1db68-be16-40ed-86d5-cb42ce701560", part: "POWER_BI_PRO", name: "Power BI Pro",
		plans: "EXCHANGE_S_FOUNDATION BI_AZURE_P2",
	},
	visioP2: {
		id: "c5928f49-12ba-48f7-ada3-0d743a3601d5", part: "VISIOCLIENT", name: "Visio Plan 2",
		plans: "EXCHANGE_S_FOUNDATION ONEDRIVE_BASIC VISIO_CLIENT_SUBSCRIPTION VISIOONLINE",
	},
	projectP3: {
		id: "53818b1b-4a27-454b-8896-0dba576410e6", part: "PROJECTPROFESSIONAL", name: "Planner and Project Plan 3",
		plans: "DYN365_CDS_PROJECT EXCHANGE_S_FOUNDATION FLOW_FOR_PROJECT SHAREPOINTWAC PROJECT_CLIENT_SUBSCRIPTION SHAREPOINT_PROJECT PROJECT_PROFESSIONAL SHAREPOINTENTERPRISE",
	},
	copilot: {
		id: "639dec6b-bb19-468b-871c-c5c441c4b0cb", part: "Microsoft_365_Copilot", name: "Microsoft Copilot for Microsoft 365",
		plans: "GRAPH_CONNECTORS_COPILOT M365_COPILOT_INTELLIGENT_SEARCH M365_COPILOT_BUSINESS_CHAT M365_COPILOT_TEAMS M365_COPILOT_APPS M365_COPILOT_CONNECTORS",
	},
	flowFree: {
		id: "f30db892-07e9-47e9-837c-80727f46fd3d", part: "FLOW_FREE", name: "Microsoft Power Automate Free",
		plans: "DYN365_CDS_VIRAL EXCHANGE_S_FOUNDATION FLOW_P2_VIRAL", class: "free",
	},
	fabricFree: {
		id: "a403ebcc-fae0-4ca2-8c8c-7a907fd6c235", part: "POWER_BI_STANDARD", name: "Microsoft Fabric (Free)",
		plans: "EXCHANGE_S_FOUNDATION BI_AZURE_P0", class: "free",
	},
	businessCentral: {
		id: "f991cecc-3f91-4cd0-a9a8-bf1c8167e029", part: "DYN365_BUSCENTRAL_PREMIUM", name: "Dynamics 365 Business Central Premium",
		plans: "DYN365_BUSCENTRAL_PREMIUM EXCHANGE_S_FOUNDATION FLOW_DYN_APPS POWERAPPS_DYN_APPS",
	},
	teamsPhone: {
		id: "e43b5b99-8dfb-405f-9987-dc307f34bcbd", part: "MCOEV", name: "Microsoft Teams Phone Standard",
		plans: "MCOEV",
	},
	audioConferencing: {
		id: "0c266dff-15dd-4b49-8397-2bb16070ed52", part: "MCOMEETADV", name: "Microsoft 365 Audio Conferencing",
		plans: "MCOMEETADV",
	},
	defenderEndpoint: {
		id: "111046dd-295b-4d6d-9724-d52ac90bd1f2", part: "WIN_DEF_ATP", name: "Microsoft Defender for Endpoint",
		plans: "EXCHANGE_S_FOUNDATION WINDEFATP",
	},
	securityE5: {
		id: "26124093-3d78-432b-b5dc-48bf992543d5", part: "IDENTITY_THREAT_PROTECTION", name: "Microsoft 365 E5 Security",
		plans: "MTP ATP_ENTERPRISE THREAT_INTELLIGENCE SAFEDOCS WINDEFATP AAD_PREMIUM_P2 ADALLOM_S_STANDALONE ATA",
	},
	oneDriveP1: {
		id: "e6778190-713e-4e4f-9119-8b8238de25df", part: "WACONEDRIVESTANDARD", name: "OneDrive for Business (Plan 1)",
		plans: "FORMS_PLAN_E1 ONEDRIVESTANDARD SHAREPOINTWAC SWAY",
	},
	extraStorage: {
		id: "99049c9c-6011-4908-bf17-15f496e6519d", part: "SHAREPOINTSTORAGE", name: "Office 365 Extra File Storage",
		plans: "SHAREPOINTSTORAGE", class: "capacity", company: true,
	},
	visioP1: {
		id: "4b244418-9658-4451-a2b8-b5e2b364e9bd", part: "VISIOONLINE_PLAN1", name: "Visio Plan 1",
		plans: "EXCHANGE_S_FOUNDATION ONEDRIVE_BASIC VISIOONLINE", status: "Suspended",
	},
	projectPremium: {
		id: "09015f9f-377f-4538-bbb5-f75ceb09358a", part: "PROJECTPREMIUM", name: "Project Online Premium",
		plans: "PROJECT_CLIENT_SUBSCRIPTION SHAREPOINT_PROJECT SHAREPOINTENTERPRISE SHAREPOINTWAC", status: "LockedOut",
	},
	frontier: {
		id: "7c2b8f6e-9a51-4d0e-8b3f-5e1d6a90c7e4", part: "Microsoft_365_Frontier_Suite", name: "Microsoft_365_Frontier_Suite",
		plans: "EXCHANGE_S_ENTERPRISE TEAMS1 AAD_PREMIUM_P2 M365_COPILOT_APPS", unlisted: true,
	},
}

// plan is a service plan.
type plan struct {
	name, id string
	workload string // Graph's name of the service in assignedPlans
	entitles service
}

// plans are the service plans of skus, by name.
var plans = []plan{
	{"AAD_PREMIUM", "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AADPremiumService", 0},
	{"AAD_PREMIUM_P2", "eec0eb4f-6444-4f95-aba0-50c24d67f998", "AADPremiumService", 0},
	{"ADALLOM_S_DISCOVERY", "932ad362-64a8-4783-9106-97849a1a30b9", "Adallom", 0},
	{"ADALLOM_S_STANDALONE", "2e2ddb96-6af9-4b1d-a3f0-d6ecfd22edb2", "Adallom", 0},
	{"ATA", "14ab5db5-e6c4-4b20-b4bc-13e36fd2227f", "MicrosoftOffice", 0},
	{"ATP_ENTERPRISE", "f20fedf3-f3c3-43c3-8267-2bfdd51c0939", "MicrosoftOffice", 0},
	{"BI_AZURE_P0", "2049e525-b859-401b-b2a0-e0a31c4b1fe4", "PowerBI", powerBI},
	{"BI_AZURE_P2", "70d33638-9c74-4d01-bfd3-562de28bd4ba", "PowerBI", powerBI},
	{"BPOS_S_TODO_1", "5e62787c-c316-451f-b873-1d05acd4d12c", "MicrosoftOffice", 0},
	{"DYN365BC_MS_INVOICING", "39b5c996-467e-4e60-bd62-46066f572726", "DynamicsNAV", 0},
	{"DYN365_BUSCENTRAL_PREMIUM", "8e9002c0-a1d8-4465-b952-817d2948e6e2", "DynamicsNAV", dynamics},
	{"DYN365_CDS_O365_P2", "4ff01e01-1ba7-4d71-8cf8-ce96c3bbcf14", "DYN365CDS", 0},
	{"DYN365_CDS_O365_P3", "28b0fa46-c39a-4188-89e2-58e979a6b014", "DYN365CDS", 0},
	{"DYN365_CDS_PROJECT", "50554c47-71d9-49fd-bc54-42a2765c555c", "DYN365CDS", 0},
	{"DYN365_CDS_VIRAL", "17ab22cd-a0b3-4536-910a-cb6eb12696c0", "DYN365CDS", 0},
	{"EXCHANGE_ANALYTICS", "34c0d7a0-a70f-4668-9238-47f9fc208882", "exchange", 0},
	{"EXCHANGE_S_ARCHIVE_ADDON", "176a09a6-7ec5-4039-ac02-b2791c6ba793", "exchange", 0},
	{"EXCHANGE_S_DESKLESS", "4a82b400-a79f-41a4-b4e2-e94f5787b113", "exchange", exchange | outlook},
	{"EXCHANGE_S_ENTERPRISE", "efb87545-963c-4e0d-99df-69c6916d9eb0", "exchange", exchange | outlook},
	{"EXCHANGE_S_FOUNDATION", "113feb6c-3fe4-4440-bddc-54d774bf0318", "exchange", 0},
	{"EXCHANGE_S_STANDARD", "9aaf7827-d63c-4b61-89c3-182f06f82e5c", "exchange", exchange | outlook},
	{"FLOW_DYN_APPS", "7e6d7d78-73de-46ba-83b1-6d25117334ba", "ProcessSimple", 0},
	{"FLOW_FOR_PROJECT", "fa200448-008c-4acb-abd4-ea106ed2199d", "ProcessSimple", 0},
	{"FLOW_O365_P1", "0f9b09cb-62d1-4ff4-9129-43f4996f83f4", "ProcessSimple", 0},
	{"FLOW_O365_P2", "76846ad7-7776-4c40-a281-a386362dd1b9", "ProcessSimple", 0},
	{"FLOW_O365_P3", "07699545-9485-468e-95b6-2fca3738be01", "ProcessSimple", 0},
	{"FLOW_O365_S1", "bd91b1a4-9f94-4ecf-b45b-3a65e5c8128a", "ProcessSimple", 0},
	{"FLOW_P2_VIRAL", "50e68c76-46c6-4674-81f9-75456511b170", "ProcessSimple", 0},
	{"FORMS_PLAN_E1", "159f4cd6-e380-449f-a816-af1a9ef76344", "MicrosoftOffice", 0},
	{"GRAPH_CONNECTORS_COPILOT", "82d30987-df9b-4486-b146-198b21d164c7", "M365Copilot", 0},
	{"INTUNE_A", "c1ec4a95-1f05-45b3-a911-aa3fa01094f5", "SCO", 0},
	{"INTUNE_O365", "882e1d05-acd1-4ccb-8708-6ee03664b117", "SCO", 0},
	{"M365_COPILOT_APPS", "a62f8878-de10-42f3-b68f-6149a25ceb97", "M365Copilot", 0},
	{"M365_COPILOT_BUSINESS_CHAT", "3f30311c-6b1e-48a4-ab79-725b469da960", "M365Copilot", 0},
	{"M365_COPILOT_CONNECTORS", "89f1c4c8-0878-40f7-804d-869c9128ab5d", "M365Copilot", 0},
	{"M365_COPILOT_INTELLIGENT_SEARCH", "931e4a88-a67f-48b5-814f-16a5f1e6028d", "M365Copilot", 0},
	{"M365_COPILOT_TEAMS", "b95945de-b3bd-46db-8437-f2beb6ea2347", "M365Copilot", 0},
	{"MCOEV", "4828c8ec-dc2e-4779-b502-87ac9ce28ab7", "MicrosoftCommunicationsOnline", 0},
	{"MCOIMP", "afc06cb0-b4f4-4473-8286-d644f70d8faf", "MicrosoftCommunicationsOnline", skype},
	{"MCOMEETADV", "3e26ee1f-8a5f-4d52-aee2-b81ce45c8f40", "MicrosoftCommunicationsOnline", 0},
	{"MCOSTANDARD", "0feaeb32-d00e-4d66-bd5a-43b5b83db82c", "MicrosoftCommunicationsOnline", skype},
	{"MFA_PREMIUM", "8a256a2b-b617-496d-b51b-e76466e88db0", "MultiFactorService", 0},
	{"MTP", "bf28f719-7844-4079-9c78-c1307898e192", "MicrosoftOffice", 0},
	{"OFFICEMOBILE_SUBSCRIPTION", "c63d4d19-e8cb-460e-b37c-4d6c34603745", "MicrosoftOffice", 0},
	{"OFFICESUBSCRIPTION", "43de0ff5-c92c-492b-9116-175376d08c38", "MicrosoftOffice", 0},
	{"OFFICE_BUSINESS", "094e7854-93fc-4d55-b2c0-3ab5369ebdc1", "MicrosoftOffice", 0},
	{"ONEDRIVESTANDARD", "13696edf-5a08-49f6-8134-03083ed8ba30", "SharePoint", oneDrive},
	{"ONEDRIVE_BASIC", "da792a53-cbc0-4184-a10d-e544dd34b3c1", "SharePoint", oneDrive},
	{"POWERAPPS_DYN_APPS", "874fc546-6efe-4d22-90b8-5c4e7aa59f4b", "PowerAppsService", 0},
	{"PROJECT_CLIENT_SUBSCRIPTION", "fafd7243-e5c1-4a3a-9e40-495efcb1d3c3", "MicrosoftOffice", project},
	{"PROJECT_O365_F3", "7f6f28c2-34bb-4d4b-be36-48ca2e77e1ec", "ProjectProgramsAndPortfolios", 0},
	{"PROJECT_O365_P1", "a55dfd10-0864-46d9-a3cd-da5991a3e0e2", "ProjectProgramsAndPortfolios", 0},
	{"PROJECT_O365_P2", "31b4e2fc-4cd6-4e7d-9c1b-41407303bd66", "ProjectProgramsAndPortfolios", 0},
	{"PROJECT_O365_P3", "b21a6b06-1988-436e-a07b-51ec6d9f52ad", "ProjectProgramsAndPortfolios", 0},
	{"PROJECT_PROFESSIONAL", "818523f5-016b-4355-9be8-ed6944946ea7", "MicrosoftOffice", project},
	{"RMS_S_ENTERPRISE", "bea4c11e-220a-4e6d-8eb8-8ea15d019f90", "RMSOnline", 0},
	{"RMS_S_PREMIUM", "6c57d4b6-3b23-47a5-9bc9-69f17b4947b3", "RMSOnline", 0},
	{"SAFEDOCS", "bf6f5520-59e3-4f82-974b-7dbbc4fd27c7", "MicrosoftOffice", 0},
	{"SHAREPOINTDESKLESS", "902b47e5-dcb2-4fdc-858b-c63a90a2bdb9", "SharePoint", sharePoint | oneDrive},
	{"SHAREPOINTENTERPRISE", "5dbe027f-2339-4123-9542-606e4d348a72", "SharePoint", sharePoint | oneDrive},
	{"SHAREPOINTSTANDARD", "c7699d2e-19aa-44de-8edf-1736da088ca1", "SharePoint", sharePoint | oneDrive},
	{"SHAREPOINTSTORAGE", "be5a7ed5-c598-4fcd-a061-5e6724c68a58", "SharePoint", 0},
	{"SHAREPOINTWAC", "e95bec33-7c88-4a70-8e19-b10bd9d0c014", "SharePoint", 0},
	{"SHAREPOINT_PROJECT", "fe71d6c3-a2ea-4499-9778-da042bf08063", "SharePoint", project},
	{"SWAY", "a23b959c-7ce8-4e57-9140-b90eb88a9e97", "MicrosoftOffice", 0},
	{"TEAMS1", "57ff2da0-773e-42df-b2af-ffb7a2317929", "TeamspaceAPI", teams},
	{"THREAT_INTELLIGENCE", "8e0c0a52-6a6c-4d40-8370-dd62790dcd70", "MicrosoftOffice", 0},
	{"VISIOONLINE", "2bdbaf8f-738f-4ac7-9234-3c3ee2ce7d0f", "MicrosoftOffice", visio},
	{"VISIO_CLIENT_SUBSCRIPTION", "663a804f-1c30-4ff0-9915-9db84f0d1cea", "MicrosoftOffice", visio},
	{"WINDEFATP", "871d91ec-ec1a-452b-a83f-bd76c7d770ef", "WindowsDefenderATP", 0},
	{"YAMMER_ENTERPRISE", "7547a3fe-08ee-4ccb-b430-5077c5041653", "YammerEnterprise", yammer},
}

// product is a SKU made ready for use: its plans looked up and its answers to
// disabled plans computed.
type product struct {
	sku
	guid  [16]byte
	plans []plan
	// services and disabled are what remains entitled, and the ids that are
	// switched off, for each set of disabled plans.
	services [disableSets]service
	disabled [disableSets][]string
}

// disable is a set of plans that are switched off for a user.
type disable uint8

const (
	disableYammer disable = 1 << iota
	disableTeams
	disableExchange

	disableSets = 8
)

// products looks the plans of all SKUs up.
func products() []product {
	byName := make(map[string]plan, len(plans))
	for _, p := range plans {
		byName[p.name] = p
	}
	out := make([]product, skuCount)
	for i, s := range skus {
		p := product{sku: s, guid: parseGUID(s.id)}
		for _, name := range strings.Fields(s.plans) {
			p.plans = append(p.plans, byName[name])
		}
		for set := range disable(disableSets) {
			for _, pl := range p.plans {
				if set.off(pl.entitles) {
					p.disabled[set] = append(p.disabled[set], pl.id)
				} else {
					p.services[set] |= pl.entitles
				}
			}
		}
		out[i] = p
	}
	return out
}

// off says whether a plan that entitles those services is switched off.
func (d disable) off(s service) bool {
	return d&disableYammer != 0 && s&yammer != 0 ||
		d&disableTeams != 0 && s&teams != 0 ||
		d&disableExchange != 0 && s&exchange != 0
}
