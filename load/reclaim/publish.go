package reclaim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"seatlake/load/lake"
	"seatlake/pipeline"
	"seatlake/schemas"
)

// Publish makes rows of the ledger's entries, and commits them to the lake together
// with the ledger's last number and hash. It returns 0 when the newest commit states
// all of it. The commit covers no source, so that no source looks older by it.
func (b *Book) Publish(ctx context.Context) (pipeline.Version, error) {
	entries, err := b.ledger.Entries(ctx)
	if err != nil {
		return 0, err
	}
	last, mark, err := b.ledger.Published(ctx)
	if err != nil {
		return 0, err
	}
	if int64(len(entries)) <= mark.Sequence {
		return 0, nil
	}
	// Days are replaced whole: from that of the first entry that is not published.
	from := entries[mark.Sequence].At.Format(time.DateOnly)
	head := entries[len(entries)-1]
	to := head.At.Format(time.DateOnly)
	entries = slices.DeleteFunc(slices.Clone(entries), func(e lake.LedgerEntry) bool { return e.At.Format(time.DateOnly) < from })

	started := b.Now().UTC()
	for _, t := range []time.Time{head.At, last.Run.Started} {
		if t.After(started) { // a clock went back, and what is published later stands
			started = t
		}
	}
	id, err := ulid.New(ulid.Timestamp(started), rand.Reader)
	if err != nil {
		return 0, fmt.Errorf("id of the commit: %w", err)
	}
	run := pipeline.Run{ID: id.String(), Tenant: b.Tenant, TenantID: b.tenantID, Started: started, Program: b.Program, Requests: []pipeline.Request{}}
	tx, err := b.lake.Begin(ctx, run)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Abort() }() // which does nothing after Commit
	stream, err := b.stream(entries)
	if err != nil {
		return 0, err
	}
	files, err := tx.Write(ctx, schemas.ReclaimEvents, stream)
	if err != nil {
		return 0, err
	}
	state, err := json.Marshal(lake.LedgerMark{Sequence: head.Sequence, SHA256: head.SHA256})
	if err != nil {
		return 0, err
	}
	return tx.Commit(ctx, pipeline.Commit{
		Run: run, Ended: started, Add: files, Coverage: []pipeline.Coverage{},
		Replaces: []pipeline.Replacement{{Table: schemas.ReclaimEvents.Name, From: from, To: to}},
		State:    map[string]json.RawMessage{lake.LedgerState: state},
	})
}

// stream is the events of entries as one batch.
func (b *Book) stream(entries []lake.LedgerEntry) (pipeline.Stream, error) {
	rows := &eventRows{RecordBuilder: array.NewRecordBuilder(memory.DefaultAllocator, schemas.ReclaimEvents.Arrow())}
	defer rows.Release()
	tenant, err := uuid.Parse(b.tenantID)
	if err != nil {
		return pipeline.Stream{}, err
	}
	for _, e := range entries {
		var r record
		if err := json.Unmarshal(e.Body, &r); err != nil {
			return pipeline.Stream{}, fmt.Errorf("entry %d of the ledger: %w", e.Sequence, err)
		}
		p := b.plans[r.Plan]
		for n, event := range r.Events {
			i, _ := p.item(event.Row) // which OpenBook has found
			if err := rows.append(tenant, e, n+1, &r, p.SealedPlan, &i.Row, event); err != nil {
				return pipeline.Stream{}, fmt.Errorf("entry %d of the ledger, event %d: %w", e.Sequence, n+1, err)
			}
		}
	}
	batch := rows.NewRecordBatch()
	return pipeline.Stream{Schema: batch.Schema(), Batches: func(yield func(arrow.RecordBatch, error) bool) {
		defer batch.Release()
		yield(batch, nil)
	}}, nil
}

// eventRows builds rows of reclaim_events.
type eventRows struct {
	*array.RecordBuilder
	column int
}

func (b *eventRows) append(tenant uuid.UUID, e lake.LedgerEntry, position int, r *record, p *SealedPlan, row *Row, event Event) error {
	user, err := uuid.Parse(row.UserID)
	if err != nil {
		return fmt.Errorf("user id %q: %w", row.UserID, err)
	}
	sku, err := uuid.Parse(row.SKU)
	if err != nil {
		return fmt.Errorf("SKU %q: %w", row.SKU, err)
	}
	var group, disabled string
	if x := event.Assignment; x != nil {
		group, disabled = x.Group, strings.Join(slices.Sorted(slices.Values(x.Disabled)), ",")
	}
	actor := r.Actor
	if event.AnsweredBy != "" {
		actor = event.AnsweredBy
	}
	b.column = 0
	for _, value := range []any{
		tenant, day(e.At.Format(time.DateOnly)), e.Sequence, int32(position), e.At, e.SHA256, r.Command, actor, r.Plan, p.Seal.SHA256,
		int32(row.Number), user, row.UserPrincipalName, sku, row.PartNumber, string(event.Action), optional(event.State), optional(event.Reason),
		optional(event.Cause), optional(event.Way), optionalGUID(group), optional(disabled), event.Freed, row.Reason,
		optional(row.AnnualSaving), optional(row.CashAtRenewal), day(row.RenewalDate), optional(row.Currency), row.IsEstimate,
		p.Seal.By, p.Seal.At, p.Seal.Expires,
	} {
		if err := b.value(value); err != nil {
			return fmt.Errorf("column %s: %w", b.Schema().Field(b.column).Name, err)
		}
		b.column++
	}
	return nil
}

type day string

type optionalGUID string

// optional is a text of which "" stands for null.
func optional[S ~string](text S) *string {
	if text == "" {
		return nil
	}
	s := string(text)
	return &s
}

// value appends to the column that is next.
func (b *eventRows) value(v any) error {
	to := b.Field(b.column)
	switch v := v.(type) {
	case nil:
		to.AppendNull()
	case *string:
		if v == nil {
			to.AppendNull()
			return nil
		}
		to.(*array.StringBuilder).Append(*v)
	case string:
		to.(*array.StringBuilder).Append(v)
	case bool:
		to.(*array.BooleanBuilder).Append(v)
	case int32:
		to.(*array.Int32Builder).Append(v)
	case int64:
		to.(*array.Int64Builder).Append(v)
	case time.Time:
		to.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
	case uuid.UUID:
		return appendGUID(to, v)
	case optionalGUID:
		if v == "" {
			to.AppendNull()
			return nil
		}
		id, err := uuid.Parse(string(v))
		if err != nil {
			return err
		}
		return appendGUID(to, id)
	case day:
		if v == "" {
			to.AppendNull()
			return nil
		}
		at, err := time.Parse(time.DateOnly, string(v))
		if err != nil {
			return err
		}
		if dict, ok := to.(*array.Date32DictionaryBuilder); ok {
			return dict.Append(arrow.Date32FromTime(at))
		}
		to.(*array.Date32Builder).Append(arrow.Date32FromTime(at))
	default:
		return fmt.Errorf("a value of type %T has no place", v)
	}
	return nil
}

func appendGUID(to array.Builder, id uuid.UUID) error {
	if dict, ok := to.(*array.FixedSizeBinaryDictionaryBuilder); ok {
		return dict.Append(id[:])
	}
	to.(*array.FixedSizeBinaryBuilder).Append(id[:])
	return nil
}
