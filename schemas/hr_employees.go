package schemas

// HrEmployees is one row per row of the user's HR file: who works for the customer,
// as the HR department knows it.
var HrEmployees = &Table{
	Name: "hr_employees", Version: 1,
	Doc:       "Employees, from the user's HR file.",
	Grain:     "employee: a row of the file",
	Key:       []string{"line"},
	Partition: "snapshot_date",
	Fields: []Field{
		tenantID(),
		snapshotDate(),
		{ID: 3, Name: "line", Kind: Int32, Required: true, Doc: "Line of the file the employee stands on, from 1. Computed."},
		{ID: 4, Name: "employee_id", Kind: String, Required: true, Personal: EmployeeNumber, From: "employee_id", Doc: "Employee number."},
		{ID: 5, Name: "user_principal_name", Kind: String, Personal: SignInName, From: "user_principal_name", Doc: "Sign-in name, as the file has it."},
		{ID: 6, Name: "mail", Kind: String, Personal: Address, From: "mail", Doc: "E-mail address, as the file has it."},
		{ID: 7, Name: "status", Kind: String, Dict: true, Required: true, From: "status", Doc: "active, inactive or leave."},
		{ID: 8, Name: "department", Kind: String, Dict: true, From: "department", Doc: "Department."},
		{ID: 9, Name: "cost_centre", Kind: String, Dict: true, From: "cost_centre", Doc: "Cost centre that bears the employee's costs."},
		{ID: 10, Name: "manager_user_principal_name", Kind: String, Dict: true, Personal: SignInName, Whose: Other, From: "manager_user_principal_name", Doc: "Sign-in name of the employee's manager, as the file has it."},
		{ID: 11, Name: "end_date", Kind: Date, From: "end_date", Doc: "Last day of the employment; null while none is known."},
	},
}
