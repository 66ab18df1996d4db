package reclaim

import (
	"cmp"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"
)

// PlanFormat is the version of the plan's form.
const PlanFormat = 1

// Plan is a list of licences to take back. It does nothing until it is sealed.
type Plan struct {
	Format      int       `json:"format"`
	ID          string    `json:"plan_id"` // ULID
	Created     time.Time `json:"created"` // UTC
	Program     string    `json:"program"`
	LakeID      string    `json:"lake_id"`
	LakeVersion int64     `json:"lake_version"` // whose marts it was made of
	AsOf        string    `json:"as_of_date"`   // UTC day of the candidates
	Tenant      string    `json:"tenant"`       // configured name
	TenantID    string    `json:"tenant_id"`
	Filter      Filter    `json:"filter"`
	Limits      Limits    `json:"limits"`
	Rows        []Row     `json:"rows"`
	LeftOut     []LeftOut `json:"left_out"`
}

// Row is one licence of one user. Unknown values are "" or nil. Days are "2006-01-02",
// money is a decimal with two places.
type Row struct {
	Number            int    `json:"row"` // from 1
	UserID            string `json:"user_id"`
	UserPrincipalName string `json:"user_principal_name"`
	Department        string `json:"department,omitempty"`
	Country           string `json:"country,omitempty"`
	SKU               string `json:"sku_id"`
	PartNumber        string `json:"sku_part_number"`
	Product           string `json:"product_name"`

	Reason     string `json:"reason"`
	Reasons    string `json:"reasons"`
	Confidence string `json:"confidence"` // high, medium or low

	Evidence            string `json:"evidence"`
	EvidenceText        string `json:"evidence_text"`
	LastActivityDate    string `json:"last_activity_date,omitempty"`
	LastActivityService string `json:"last_activity_service,omitempty"`
	DaysSince           *int64 `json:"days_since_last_activity,omitempty"`
	ActivityStatus      string `json:"activity_status"`
	LastSignIn          string `json:"last_sign_in_at,omitempty"` // RFC 3339, UTC
	ObservedThrough     string `json:"observed_through,omitempty"`

	AssignedBy   string   `json:"assigned_by"` // direct, group or both
	Groups       []string `json:"assigned_by_groups,omitempty"`
	AssignedDate string   `json:"assigned_date,omitempty"`

	AnnualSaving     string `json:"annual_saving,omitempty"`
	CashUntilRenewal string `json:"cash_until_renewal,omitempty"`
	CashAtRenewal    string `json:"cash_at_renewal,omitempty"`
	RenewalDate      string `json:"renewal_date,omitempty"`
	Currency         string `json:"currency,omitempty"`
	IsEstimate       bool   `json:"is_estimate"`

	// What the user loses: Judged are the services by which the licence was judged,
	// Lost those that no other licence of the user entitles, Data what stands behind
	// them. Kept are the user's other licences, which are not touched.
	Judged []string `json:"judged_services,omitempty"`
	Lost   []string `json:"services_lost,omitempty"`
	Data   string   `json:"data_affected,omitempty"`
	Kept   []string `json:"licenses_kept,omitempty"` // part numbers
	// KeptSKUs are the GUIDs of Kept.
	KeptSKUs []string `json:"licenses_kept_sku_ids,omitempty"`

	Comment string `json:"comment,omitempty"`
}

// Candidate is a row that a plan may take up.
type Candidate struct {
	Row
	BlockedBy string // why not, comma separated; "" when nothing speaks against it
}

// Filter says which candidates a plan takes up. An empty list takes all.
type Filter struct {
	Reasons       []string `json:"reasons,omitempty"`
	SKUs          []string `json:"skus,omitempty"` // GUIDs or part numbers
	Departments   []string `json:"departments,omitempty"`
	Countries     []string `json:"countries,omitempty"`
	MinConfidence string   `json:"min_confidence"`
}

// Limits bound what one plan takes.
type Limits struct {
	Share    int `json:"max_share_basis_points"` // of a SKU's users; 500 is 5 %
	Licenses int `json:"max_licenses"`           // in all
}

// LeftOut counts candidates of the filter that a plan does not take, and says why.
type LeftOut struct {
	PartNumber string `json:"sku_part_number"`
	Why        string `json:"why"`
	Rows       int    `json:"rows"`
}

var confidences = []string{"low", "medium", "high"}

// Confidences are the words for it, the least first.
func Confidences() []string { return slices.Clone(confidences) }

// Compare is the order in which candidates are taken up: the surest and dearest
// first, an unknown saving last.
func Compare(a, b *Candidate) int {
	return cmp.Or(
		-cmp.Compare(slices.Index(confidences, a.Confidence), slices.Index(confidences, b.Confidence)),
		-compareMoney(a.AnnualSaving, b.AnnualSaving),
		strings.Compare(a.SKU, b.SKU), strings.Compare(a.UserID, b.UserID))
}

// Draw fills a plan's rows from candidates: those that the filter names, nothing
// blocks, and the limits allow. assigned is how many users have each SKU. Rows that are
// assigned by groups are taken up and listed, for somebody has to see to them.
//
// The candidates come in the order of Compare, and are not kept: Draw holds the rows
// that the limits allow, and counts the others. Its error is the candidates', or that
// of their order.
func (p *Plan) Draw(candidates iter.Seq2[*Candidate, error], assigned map[string]int) error {
	left := map[LeftOut]int{}
	out := func(c *Candidate, why string) { left[LeftOut{PartNumber: c.PartNumber, Why: why}]++ }
	taken := map[string]int{}
	p.Rows = []Row{}
	var before *Candidate
	for c, err := range candidates {
		if err != nil {
			return err
		}
		if before != nil && Compare(before, c) > 0 {
			return fmt.Errorf("candidates are out of order: %s of user %s comes after %s of user %s", c.PartNumber, c.UserID, before.PartNumber, before.UserID)
		}
		before = c
		why := c.against(p.Filter.MinConfidence)
		most := assigned[c.SKU] * p.Limits.Share / 10_000
		switch {
		case !p.Filter.takes(&c.Row):
		case why != "":
			out(c, why)
		case taken[c.SKU] >= most:
			out(c, fmt.Sprintf("beyond %s of the %d users of the SKU, which is %d (max_share)", percent(p.Limits.Share), assigned[c.SKU], most))
		case len(p.Rows) >= p.Limits.Licenses:
			out(c, fmt.Sprintf("beyond %d licences a plan (max_licenses)", p.Limits.Licenses))
		default:
			taken[c.SKU]++
			p.Rows = append(p.Rows, c.Row)
		}
	}
	slices.SortFunc(p.Rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.PartNumber, b.PartNumber), strings.Compare(strings.ToLower(a.UserPrincipalName), strings.ToLower(b.UserPrincipalName)),
			strings.Compare(a.UserID, b.UserID), strings.Compare(a.SKU, b.SKU))
	})
	for i := range p.Rows {
		p.Rows[i].Number = i + 1
	}
	p.LeftOut = []LeftOut{}
	for l, n := range left {
		l.Rows = n
		p.LeftOut = append(p.LeftOut, l)
	}
	slices.SortFunc(p.LeftOut, func(a, b LeftOut) int {
		return cmp.Or(strings.Compare(a.PartNumber, b.PartNumber), strings.Compare(a.Why, b.Why))
	})
	return nil
}

// against is why a candidate is not taken up; "" when nothing speaks against it.
func (c *Candidate) against(least string) string {
	var blocks []string
	for b := range strings.SplitSeq(c.BlockedBy, ",") {
		// Who has a licence by a group is listed, and nothing is done by itself.
		if b = strings.TrimSpace(b); b != "" && b != "group_assigned" {
			blocks = append(blocks, b)
		}
	}
	switch {
	case len(blocks) > 0:
		return "blocked by " + strings.Join(blocks, ", ")
	case c.Evidence != "complete":
		return "the evidence is " + cmp.Or(c.Evidence, "unknown")
	case c.ActivityStatus == "too_new":
		return "too new"
	case slices.Index(confidences, c.Confidence) < slices.Index(confidences, least):
		return "the confidence is " + cmp.Or(c.Confidence, "unknown")
	}
	return ""
}

// takes says that a row is one of the filter's.
func (f *Filter) takes(r *Row) bool {
	among := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(want string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(want, v) })
		})
	}
	return among(f.Reasons, r.Reason) && among(f.SKUs, r.SKU, r.PartNumber) && among(f.Departments, r.Department) && among(f.Countries, r.Country)
}

// compareMoney compares decimals; an unknown one is the least.
func compareMoney(a, b string) int {
	x, known := new(big.Rat).SetString(a)
	y, other := new(big.Rat).SetString(b)
	switch {
	case known && other:
		return x.Cmp(y)
	case known:
		return 1
	case other:
		return -1
	}
	return 0
}

// percent writes basis points.
func percent(points int) string {
	if points%100 == 0 {
		return fmt.Sprintf("%d %%", points/100)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%02d", points/100, points%100), "0") + " %"
}

// Total is a plan's worth: annual savings by currency, and how many rows have none.
type Total struct {
	Rows     int
	Savings  map[string]string // by currency
	Unpriced int
}

// Total adds up what is known of the rows' savings.
func (p *Plan) Total() Total {
	t := Total{Rows: len(p.Rows), Savings: map[string]string{}}
	sums := map[string]*big.Rat{}
	for _, r := range p.Rows {
		saving, ok := new(big.Rat).SetString(r.AnnualSaving)
		if !ok {
			t.Unpriced++
			continue
		}
		if sums[r.Currency] == nil {
			sums[r.Currency] = new(big.Rat)
		}
		sums[r.Currency].Add(sums[r.Currency], saving)
	}
	for currency, sum := range sums {
		t.Savings[currency] = sum.FloatString(2)
	}
	return t
}
