package reclaim

import (
	"encoding/json"
	"fmt"
	"slices"

	"seatlake/load/lake"
	"seatlake/schemas"
)

// Redactor takes a person out of the bodies of a tenant's ledger: of sealed plans, what
// the person is called and how the licence was used, and of events the words for
// people. What was taken, when, for which reason and at what price stays, for it is
// the book of what was done. isID knows the person's object id; redact puts a word in
// the place of the person's names.
func Redactor(isID func(string) bool, redact func(string) (string, bool)) lake.Redactor {
	rows := map[string][]int{} // of the person, by plan
	return func(body json.RawMessage) (json.RawMessage, bool, error) {
		var r record
		if err := json.Unmarshal(body, &r); err != nil {
			return nil, false, fmt.Errorf("its body: %w", err)
		}
		named := false
		clean := func(texts ...*string) {
			for _, t := range texts {
				to, found := redact(*t)
				*t, named = to, named || found
			}
		}
		clean(&r.Actor)
		if r.Sealed != nil {
			clean(&r.Sealed.Seal.By)
			for i := range r.Sealed.Rows {
				row := &r.Sealed.Rows[i]
				if isID(row.UserID) {
					rows[r.Plan] = append(rows[r.Plan], row.Number)
					*row, named = row.erased(), true
				}
				clean(&row.UserPrincipalName, &row.EvidenceText, &row.Data, &row.Comment)
			}
		}
		for i := range r.Events {
			e := &r.Events[i]
			if slices.Contains(rows[r.Plan], e.Row) && e.Reason+e.AnsweredBy != "" {
				e.Reason, e.AnsweredBy, named = "", "", true
			}
			clean(&e.Reason, &e.AnsweredBy)
		}
		if !named {
			return body, false, nil
		}
		out, err := json.Marshal(r)
		return out, true, err
	}
}

// erased is a row that names nobody.
func (r *Row) erased() Row {
	return Row{
		Number: r.Number, UserID: schemas.ErasedGUID, UserPrincipalName: schemas.ErasedText,
		SKU: r.SKU, PartNumber: r.PartNumber, Product: r.Product,
		Reason: r.Reason, Reasons: r.Reasons, Confidence: r.Confidence, Evidence: r.Evidence, ActivityStatus: r.ActivityStatus,
		AssignedBy: r.AssignedBy, Groups: r.Groups,
		AnnualSaving: r.AnnualSaving, CashUntilRenewal: r.CashUntilRenewal, CashAtRenewal: r.CashAtRenewal,
		RenewalDate: r.RenewalDate, Currency: r.Currency, IsEstimate: r.IsEstimate,
		Judged: r.Judged, Kept: r.Kept, KeptSKUs: r.KeptSKUs,
	}
}
