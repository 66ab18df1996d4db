package schemas

// ReportOffice365ActivationsUserDetail is what each user has activated, and where.
var ReportOffice365ActivationsUserDetail = &Table{
	Name: "report_office365_activations_user_detail", Version: 1, Format: CSV,
	Doc:       "Activations of desktop and mobile products per user, from getOffice365ActivationsUserDetail.",
	Grain:     "user x product",
	Key:       []string{"user_principal_name", "product_type"},
	Partition: "report_refresh_date",
	Fields: []Field{
		tenantID(),
		reportRefreshDate(),
		{ID: 3, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "User Principal Name", Doc: "Sign-in name, case as the report gives it; \"(Unknown)\" or a hash when concealed."},
		{ID: 4, Name: "display_name", Kind: String, Personal: PersonName, From: "Display Name", Doc: "Display name."},
		{ID: 5, Name: "product_type", Kind: String, Dict: true, From: "Product Type", Doc: "Product activated."},
		{ID: 6, Name: "last_activated_date", Kind: Date, Dict: true, From: "Last Activated Date", Doc: "UTC day of the latest activation of the product."},
		{ID: 7, Name: "windows", Kind: Int64, From: "Windows", Doc: "Activations on Windows."},
		{ID: 8, Name: "mac", Kind: Int64, From: "Mac", Doc: "Activations on Mac."},
		{ID: 9, Name: "windows_10_mobile", Kind: Int64, From: "Windows 10 Mobile", Doc: "Activations on Windows 10 Mobile."},
		{ID: 10, Name: "ios", Kind: Int64, From: "iOS", Doc: "Activations on iOS."},
		{ID: 11, Name: "android", Kind: Int64, From: "Android", Doc: "Activations on Android."},
		{ID: 12, Name: "activated_on_shared_computer", Kind: Bool, From: "Activated On Shared Computer", Doc: "Whether it was activated under shared computer activation."},
	},
}
