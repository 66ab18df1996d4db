package pipeline

// Cause is why a write to a tenant was not done, in the word that the ledger of licences
// taken back has for it.
type Cause string

// The causes that a source of writes tells apart.
const (
	CauseNoSeats       Cause = "no_seats"           // all units of the SKU are assigned
	CauseExclusive     Cause = "mutually_exclusive" // service plans of two licences exclude one another
	CauseDependency    Cause = "dependency"         // a service plan of another licence needs one of this
	CauseUsageLocation Cause = "usage_location"     // the user has none, or an invalid one
	CauseInherited     Cause = "inherited"          // a group assigns the licence
	CauseNotHeld       Cause = "not_held"
	CauseUnknownSKU    Cause = "unknown_sku"
	CauseUnknownUser   Cause = "unknown_user"
	CauseNoRights      Cause = "no_rights"
	CauseAlreadyMember Cause = "already_member" // of the group
	CauseRefused       Cause = "refused"        // for none of these reasons
)

// The causes that whoever writes finds for itself.
const (
	CauseUnanswered Cause = "unanswered" // whether it was done is not known
	CauseUnreadable Cause = "unreadable" // what has to be known before the act could not be read
)
