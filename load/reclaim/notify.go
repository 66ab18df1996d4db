package reclaim

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is what waiting means.
type Policy struct {
	Wait           time.Duration // for a user's answer
	TakeUnanswered bool          // whether no answer in time means that the licence may go
	SecondApproval bool          // whether somebody approves each row after the user was asked
}

// Notify asks the users of all rows that are Ready: they become Awaiting User, until
// the deadline. It returns every row that awaits its user, also from before, so that a
// file that was lost can be written again. It sends nothing to anybody.
func (b *Book) Notify(p *Reclamation, policy Policy) ([]*Item, error) {
	if err := p.Expired(b.Now()); err != nil {
		return nil, err
	}
	deadline := b.Now().UTC().Add(policy.Wait).Truncate(time.Second)
	var events []Event
	for _, i := range p.Items {
		if i.State == Ready {
			events = append(events, Event{Row: i.Number, Action: Notified, State: AwaitingUser, Deadline: deadline,
				Reason: "asked; an answer is due at " + deadline.Format(time.RFC3339)})
		}
	}
	if err := b.write(p.ID, nil, events...); err != nil {
		return nil, err
	}
	var out []*Item
	for _, i := range p.Items {
		if i.State == AwaitingUser {
			out = append(out, i)
		}
	}
	return out, nil
}

// WriteMerge writes the rows as a mail merge reads them. The column answer is for the
// user: keep or release.
func WriteMerge(w io.Writer, p *Reclamation, items []*Item) error {
	rows := [][]string{{"plan_id", "row", "user_principal_name", "product_name", "why", "services_lost", "data_affected", "licenses_kept", "answer_by", "answer", "comment"}}
	for _, i := range items {
		cells := []string{
			p.ID, strconv.Itoa(i.Number), i.UserPrincipalName, i.Product, i.EvidenceText, strings.Join(i.Lost, "; "), i.Data,
			strings.Join(i.Kept, "; "), i.Deadline.Format(time.DateTime) + " UTC", "", "",
		}
		for n := range cells {
			cells[n] = harmless(cells[n])
		}
		rows = append(rows, cells)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// answers are the words of the column answer, and the states in which each is heard.
var answers = map[string][]State{
	"keep":    {Ready, AwaitingUser, AwaitingApproval, AwaitingRevocation},
	"release": {AwaitingUser},
	"approve": {AwaitingApproval},
	"reject":  {AwaitingApproval, AwaitingRevocation},
}

// Answer enters the answers of a CSV with the columns plan_id, row and answer, and
// perhaps answered_by and comment. An empty answer is none. All faults of the file are
// named at once, and then nothing is entered. It returns notes about answers that come
// too late.
func (b *Book) Answer(p *Reclamation, body []byte, policy Policy) (notes []string, err error) {
	table, err := readTable(body, "plan_id", "row", "answer")
	if err != nil {
		return nil, err
	}
	var faults []error
	var events []Event
	given := map[int]int{}
	for _, t := range table.rows {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("line %d: %s", t.line, fmt.Sprintf(format, args...)))
		}
		answer := strings.ToLower(t.get("answer"))
		number, err := strconv.Atoi(t.get("row"))
		i, there := p.item(number)
		switch {
		case t.get("plan_id") != p.ID:
			fault("it is of plan %q, and this is %s", t.get("plan_id"), p.ID)
			continue
		case err != nil || !there:
			fault("row %q is not in the sealed plan", t.get("row"))
			continue
		case answer == "":
			continue
		case answers[answer] == nil:
			fault("answer %q is not known; it is keep or release of the user, approve or reject of who approves", t.get("answer"))
			continue
		case given[number] > 0:
			fault("row %d has an answer in line %d already", number, given[number])
			continue
		}
		given[number] = t.line
		if !slices.Contains(answers[answer], i.State) {
			notes = append(notes, fmt.Sprintf("row %d: the answer %q changes nothing: the row is %s", number, answer, i.State))
			continue
		}
		by := t.get("answered_by")
		if by == "" && (answer == "keep" || answer == "release") {
			by = i.UserPrincipalName
		}
		event := Event{Row: number, Action: Answered, AnsweredBy: by, Reason: strings.TrimSuffix(answer+": "+t.get("comment"), ": ")}
		switch answer {
		case "keep", "reject":
			event.State = ClosedCancelled
			events = append(events, event)
		case "release":
			event.State = AwaitingApproval
			events = append(append(events, event), b.approval(i, policy)...)
		case "approve":
			event.Action, event.State = Approved, AwaitingRevocation
			events = append(events, event)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return notes, b.write(p.ID, nil, events...)
}

// approval is what follows a row's Awaiting Approval: the seal approves it, unless a
// second approval is wanted.
func (b *Book) approval(i *Item, policy Policy) []Event {
	if policy.SecondApproval {
		return nil
	}
	return []Event{{Row: i.Number, Action: Approved, State: AwaitingRevocation, Reason: "approved by the seal"}}
}

// Expire ends the waiting of rows whose users did not answer in time.
func (b *Book) Expire(p *Reclamation, policy Policy) error {
	var events []Event
	for _, i := range p.Items {
		if i.State != AwaitingUser || b.Now().Before(i.Deadline) {
			continue
		}
		event := Event{Row: i.Number, Action: TimedOut, State: ClosedCancelled, Reason: "no answer, which means keep"}
		if policy.TakeUnanswered {
			event.State, event.Reason = AwaitingApproval, "no answer, which means release"
		}
		events = append(events, event)
		if policy.TakeUnanswered {
			events = append(events, b.approval(i, policy)...)
		}
	}
	return b.write(p.ID, nil, events...)
}
