// Package inventory reads what device inventories say is installed: exports of
// Configuration Manager, Intune, Jamf, Lansweeper, GLPI, or any table with a row
// for each software of a device, as CSV or XLSX.
//
// A *mapping* is a YAML file that says how one kind of export is read: which column
// is which field, how dates are written, which software is which product. No code
// knows an export. Mappings for six layouts are in the program; see Layouts.
//
// A row names a device and a software. Its product is that of the first rule that
// fits; software that no rule knows is counted and left out. Rows of one file that
// say the same of a device, a product and a user are one Installation.
//
// Reading is strict where a figure depends on it: a file without a column for the
// device or the software, or a row that is longer than its header, is an error
// that names the line and the cure. What is only evidence, such as the day of last
// use, becomes empty when it cannot be read, and the Report counts it.
package inventory

import (
	"fmt"
	"strings"
	"time"
)

// Installation is a product on a device, as one user has it. Empty texts and zero
// days are unknown.
type Installation struct {
	Row int64 // line of the file or row of the sheet that says so first, from 1

	DeviceKey    string // one device over files: serial:, name: or id:<mapping>: and the lower-case value
	DeviceID     string
	DeviceName   string
	SerialNumber string
	OS           string
	Platform     string    // windows, mac, ios, android or unknown
	LastSeen     time.Time // UTC day

	User User

	Family    string
	Rule      string // that says so
	Publisher string
	Product   string // name of the software, as exported
	Version   string
	Edition   string
	Kind      Kind
	Installed time.Time // UTC day, the earliest
	LastUsed  time.Time // UTC day, the latest
}

// User is what an inventory knows of a device's user. All but Name are lower case.
type User struct {
	Name       string // as exported
	ObjectID   string // GUID in the directory
	Address    string // sign-in name or e-mail address, from Name
	Mail       string
	Domain     string
	Account    string // SAM account name; empty for local and Entra accounts
	EmployeeID string
}

// Kind is how a product is installed. Only PerUser counts against the devices
// that a user's licence covers.
type Kind string

// The kinds of installation.
const (
	PerUser        Kind = "per_user"
	SharedComputer Kind = "shared_computer"
	VDI            Kind = "vdi"
	Unattended     Kind = "unattended"
)

func kinds() []Kind { return []Kind{PerUser, SharedComputer, VDI, Unattended} }

// Report is what became of a file's rows and columns.
type Report struct {
	Mapped   []Mapped // fields with the columns they were read from, in the fields' order
	Absent   []string // fields that the mapping knows and the file has no column for
	Unmapped []string // columns that neither a field reads nor the mapping ignores
	HasUser  bool     // some column names the user

	Rows     int64 // of the file, without the header and empty rows
	Products int64 // rows of a known product
	Other    int64 // rows of software that no rule knows
	Skipped  int64 // rows that a rule of the mapping leaves out
	NoDevice int64 // rows of a known product that name no device: installations that are not counted

	Families map[string]int64 // installations by product family
	Dates    []DateFault      // columns with dates that could not be read
}

// Mapped is a field and the headers it is read from, the first one first.
type Mapped struct {
	Field   string
	Headers []string
}

// DateFault is a field some of whose dates fit none of the mapping's formats.
type DateFault struct {
	Field   string
	Count   int64
	Row     int64 // the first such row
	Example string
	// Swapped says that day and month stand the other way round than the mapping
	// says, so that no date of the field was taken.
	Swapped bool
}

// String says the fault for people.
func (d DateFault) String() string {
	if d.Swapped {
		return fmt.Sprintf("%s: row %d has %q, in which day and month stand the other way round than the mapping's formats say; no date of the column was read: name the right format under dates: in a mapping of your own", d.Field, d.Row, d.Example)
	}
	return fmt.Sprintf("%s: %d dates, such as %q in row %d, fit none of the mapping's formats and are empty: name their format under dates: in a mapping of your own", d.Field, d.Count, d.Example, d.Row)
}

// Error is everything that is wrong with a file.
type Error struct {
	File   string
	Faults []Fault
}

// Fault is one thing wrong with a file.
type Fault struct {
	Line int64 // line of a text file or row of a sheet, from 1; 0 when none is at fault
	Text string
}

// maxFaults is how many faults of a file are named.
const maxFaults = 20

// Error names one fault a line.
func (e *Error) Error() string {
	var lines []string
	for i, f := range e.Faults {
		switch {
		case i == maxFaults:
			lines = append(lines, fmt.Sprintf("%s: and %d more", e.File, len(e.Faults)-maxFaults))
		case i > maxFaults:
		case f.Line == 0:
			lines = append(lines, fmt.Sprintf("%s: %s", e.File, f.Text))
		default:
			lines = append(lines, fmt.Sprintf("%s:%d: %s", e.File, f.Line, f.Text))
		}
	}
	return strings.Join(lines, "\n")
}

// faulty is an Error with one fault.
func faulty(file string, line int64, format string, args ...any) *Error {
	return &Error{File: file, Faults: []Fault{{Line: line, Text: fmt.Sprintf(format, args...)}}}
}
