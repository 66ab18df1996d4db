package pipeline

import "encoding/json"

// The sources that are a user's files. They are kept and replayed as pages, so
// that a run is a function of its pages alone.
const (
	LicenseTerms   = "license_terms"
	Inventory      = "inventory"
	LegacyLicenses = "legacy_licenses"
	HrEmployees    = "hr_employees"
)

// Stated is a decoder that leaves a note about its source in the commit, such as
// the hash of the file it read.
type Stated interface {
	Decoder
	// State says, once the stream has ended, what the commit notes under the
	// source's name; nil notes nothing.
	State() json.RawMessage
}
