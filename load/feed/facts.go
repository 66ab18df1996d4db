package feed

import "time"

// Facts is what feeds are made of: rows of the marts of one version of the lake.
// Pointers are nil where the lake does not know.
type Facts struct {
	Version       int64
	Positions     []Position     // of managed SKUs, mart license_positions
	Terms         []Term         // those in force, mart license_costs
	Assignments   []Assignment   // mart license_assignments; only for profiles that need them
	Hybrids       []Hybrid       // mart hybrid_positions; only for profiles that need them
	Installations []Installation // table inventory_installations; only for profiles that need them
}

// Position is the licence position of a SKU of a tenant.
type Position struct {
	TenantID, Tenant string // directory id, configured name
	AsOf             time.Time
	SKUID            string // lower-case GUID
	PartNumber       string // Microsoft's, such as SPE_E5; empty when not known
	Product          string
	Class            string // paid, free, trial, capacity
	AppliesTo        string // User or Company; empty for a SKU that is assigned but not subscribed
	Status           string // capability status

	Enabled, Warning, Suspended, LockedOut *int64 // units
	Entitled, Consumed, Available          *int64 // units
	Assigned                               *int64 // users
	Active, Inactive, NeverActive          *int64 // users
	TooNew, NotMeasurable                  *int64 // users
}

// Part is what the SKU is called where a short name is needed: its part number,
// else its id.
func (p *Position) Part() string {
	if p.PartNumber != "" {
		return p.PartNumber
	}
	return p.SKUID
}

// Term is a licence term in force that pays for a SKU of the tenant.
type Term struct {
	TenantID, SKUID  string
	Line             int64 // of the user's file
	PurchaseID       string
	Quantity         int64
	Amount           Decimal  // of one payment, for the whole quantity
	UnitAmount       *Decimal // of one payment, for one unit; nil when the file gives the amount
	Annual           Decimal  // money a year for the whole quantity
	Currency         string   // ISO 4217
	Frequency        string   // one of the eight
	Effective        time.Time
	Ending           *time.Time // first day after the term; nil for no end
	Vendor, Contract string
	CostCentre       string
}

// Assignment is a licence that a user holds.
type Assignment struct {
	TenantID, UserID, SKUID string
	UPN                     string
	PartNumber, Product     string
	Class                   string
	AssignedDate            *time.Time
	LastActivity            *time.Time
	Status                  string // activity status
	Evidence                string // complete, partial, none
}

// Part is what the licence is called, as of Position.
func (a *Assignment) Part() string {
	if a.PartNumber != "" {
		return a.PartNumber
	}
	return a.SKUID
}

// Hybrid is the position of a product over licences, activations and devices.
type Hybrid struct {
	TenantID, Tenant, Family                                    string
	AsOf                                                        time.Time
	Entitled, Assigned, Activated, Installed                    *int64
	InstalledUsers, Matched, UnlicensedUsers, UnresolvedDevices *int64
	Consumed, Entitlements, AtRisk, Availability                *int64
	Status, StatusReason                                        string // Compliant, At risk, Unknown, Not tracked; and why
}

// Installation is a licensed product found on a device. Texts are empty where the
// inventory says nothing.
type Installation struct {
	TenantID                      string
	DeviceKey, DeviceName, Serial string
	OS                            string
	User, Mail                    string
	Kind                          string // per_user, shared_computer, vdi, unattended
	Product, Version, Publisher   string
	LastSeen, Installed, LastUsed *time.Time
}

// value is what a pointer points to, or nil.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// isAfter says whether a day is after another that may not be known.
func isAfter(day time.Time, other any) bool {
	t, ok := other.(time.Time)
	return !ok || day.After(t)
}
