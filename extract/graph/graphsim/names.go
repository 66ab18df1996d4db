package graphsim

// name is a person's name and the form of it that sign-in names can hold.
type name struct{ text, ascii string }

var givenNames = []name{
	{"Miriam", "Miriam"}, {"Alex", "Alex"}, {"Lidia", "Lidia"}, {"Søren", "Soren"}, {"Zoë", "Zoe"}, {"José", "Jose"},
	{"Łukasz", "Lukasz"}, {"Anaïs", "Anais"}, {"Björk", "Bjork"}, {"Nguyễn", "Nguyen"}, {"Ольга", "Olga"}, {"Дмитрий", "Dmitriy"},
	{"美咲", "Misaki"}, {"太郎", "Taro"}, {"伟", "Wei"}, {"지민", "Jimin"}, {"Αλέξανδρος", "Alexandros"}, {"אורי", "Uri"},
	{"محمد", "Mohammed"}, {"प्रिया", "Priya"}, {"สมชาย", "Somchai"}, {"D'Andre", "DAndre"}, {"Mary Jo", "MaryJo"}, {"Jean-Luc", "Jean-Luc"},
	{"Grace", "Grace"}, {"Henrietta", "Henrietta"}, {"Isaiah", "Isaiah"}, {"Johanna", "Johanna"}, {"Lee", "Lee"}, {"Lynne", "Lynne"},
	{"Nestor", "Nestor"}, {"Pradeep", "Pradeep"}, {"Adele", "Adele"}, {"Diego", "Diego"}, {"Patti", "Patti"}, {"Irvin", "Irvin"},
}

var surnames = []name{
	{"Graham", "Graham"}, {"Wilber", "Wilber"}, {"Holloway", "Holloway"}, {"O'Brien", "O'Brien"}, {"D’Angelo", "DAngelo"}, {"Müller", "Mueller"},
	{"Nuñez", "Nunez"}, {"Żak", "Zak"}, {"Šimić", "Simic"}, {"Çelik", "Celik"}, {"Trần", "Tran"}, {"Иванова", "Ivanova"},
	{"山田", "Yamada"}, {"王", "Wang"}, {"김", "Kim"}, {"Παπαδόπουλος", "Papadopoulos"}, {"כהן", "Cohen"}, {"الفارسي", "AlFarsi"},
	{"शर्मा", "Sharma"}, {"van den Berg", "vandenBerg"}, {"Saint-Exupéry", "Saint-Exupery"}, {"Deyoung", "Deyoung"}, {"Vance", "Vance"}, {"Lorenz", "Lorenz"},
	{"Siciliani", "Siciliani"}, {"Cross", "Cross"}, {"Langer", "Langer"}, {"Gu", "Gu"}, {"Robbins", "Robbins"}, {"Wilke", "Wilke"},
	{"Gupta", "Gupta"}, {"Fernandez", "Fernandez"}, {"Sayers", "Sayers"}, {"Ørsted", "Oersted"},
}

// The tables below are drawn with skew: the first entries are the most frequent.

var departments = []string{
	"Sales", "Operations", "Engineering", "Retail", "Customer Service", "Sales & Marketing", "Finance", "IT", "Human Resources",
	"Legal", "R&D", "Forschung & Entwicklung", "人事部", "Logistics, EMEA", "Facilities",
}

var titles = []string{
	"Store Associate", "Account Executive", "Engineer", "Senior Engineer", "Product Manager", "Director", "Analyst",
	`Engineer "Platform"`, "Assistant", "IT Admin", "Chef de projet", "Vice President, Sales",
}

var companies = []string{"Contoso", "Contoso GmbH", "Contoso Retail", "コントソ株式会社"}

var places = []struct{ country, code, city, state, language string }{
	{"United States", "US", "Redmond", "Washington", "en-US"}, {"Germany", "DE", "München", "Bayern", "de-DE"},
	{"United Kingdom", "GB", "London", "England", "en-GB"}, {"France", "FR", "Paris", "Île-de-France", "fr-FR"},
	{"Japan", "JP", "Tokyo", "Tokyo", "ja-JP"}, {"India", "IN", "Hyderabad", "Telangana", "en-IN"},
	{"Poland", "PL", "Łódź", "Łódzkie", "pl-PL"}, {"Brazil", "BR", "São Paulo", "São Paulo", "pt-BR"},
	{"Netherlands", "NL", "Amsterdam", "Noord-Holland", "nl-NL"},
}

// skewed draws an index below n: half of all draws fall into the first quarter.
func (r *random) skewed(n int) int {
	x := r.below(1 << 16)
	return x * x >> 16 * n >> 16
}
