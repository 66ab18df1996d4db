package schemas

// Personal says what a column tells of a person, so that a person can be found in
// the lake, erased from it, and sealed in it. Columns of other kinds than String and
// UUID, and those that are about things alone, have none.
type Personal uint8

// What a column can tell of a person. The first six identify: a row with the value of
// one of a person is the person's.
const (
	ObjectID       Personal = iota + 1 // object id of the directory
	SignInName                         // user principal name
	Address                            // e-mail address, with or without its kind, as smtp:
	EmployeeNumber                     // number that the employer gave
	AccountName                        // SAM account name, with or without its domain
	AnyName                            // a sign-in name, an address, DOMAIN\name or a bare name
	PersonName                         // display, first or family name: others may bear it, too
	Device                             // name, id or serial number of a person's device
	Place                              // network address, or an address of the web that holds a name
	Remark                             // text for people, which may name anybody
)

// Identifies says that the value tells whose the row is.
func (p Personal) Identifies() bool { return p >= ObjectID && p <= AnyName }

// Whose says whom a personal column is about.
type Whose uint8

// The persons that a row can name.
const (
	Subject  Whose = iota // the person the row is of
	Other                 // somebody else, such as a manager or an owner
	Operator              // who ran or approved something in seatlake's name
)

// Erasure is what becomes of a person's rows when the person is erased.
type Erasure uint8

// The ways to erase a person from a table.
const (
	// EraseRows removes the rows.
	EraseRows Erasure = iota
	// EraseNames keeps the rows, for they are the book of what was done, and puts
	// ErasedGUID and ErasedText where the person was named.
	EraseNames
)

// What stands in the place of an erased person where a column may not be null.
const (
	ErasedGUID = "00000000-0000-0000-0000-000000000000"
	ErasedText = "(erased)"
)

// Leaves calls fn with every column that holds values, at any depth, and its path.
// Members of lists and structs that name no person themselves inherit nothing.
func (t *Table) Leaves(fn func(path string, f *Field)) {
	var walk func(prefix string, f *Field)
	walk = func(path string, f *Field) {
		switch f.Kind {
		case List:
			walk(path+"."+f.Elem.Name, f.Elem)
		case Struct:
			for i := range f.Fields {
				walk(path+"."+f.Fields[i].Name, &f.Fields[i])
			}
		default:
			fn(path, f)
		}
	}
	for i := range t.Fields {
		walk(t.Fields[i].Name, &t.Fields[i])
	}
}

// NamesPersons says whether rows of the table are of persons.
func (t *Table) NamesPersons() bool {
	found := false
	t.Leaves(func(_ string, f *Field) { found = found || f.Personal.Identifies() && f.Whose == Subject })
	return found
}
