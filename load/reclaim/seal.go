package reclaim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// SealedPlan is a plan that somebody answers for: the rows that are left of it, who
// sealed it and when, and until when it may be acted on.
type SealedPlan struct {
	Plan
	Seal Seal `json:"seal"`
}

// Seal makes a plan unchangeable.
type Seal struct {
	By      string    `json:"approved_by"`
	At      time.Time `json:"approved_at"` // UTC
	Expires time.Time `json:"expires"`     // UTC
	SHA256  string    `json:"sha256"`      // of the sealed plan's JSON with this empty
}

// hash is the SHA-256 of all that is sealed.
func (s *SealedPlan) hash() (string, error) {
	open := *s
	open.Seal.SHA256 = ""
	body, err := json.Marshal(&open)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// seal seals what a person left of a plan.
func (p *Plan) seal(rows []Row, by string, at, expires time.Time) (*SealedPlan, error) {
	if len(rows) == 0 {
		return nil, errors.New("no row is left of the plan: there is nothing to seal")
	}
	s := &SealedPlan{Plan: *p, Seal: Seal{By: by, At: at.UTC().Truncate(time.Second), Expires: expires.UTC().Truncate(time.Second)}}
	s.Rows = rows
	var err error
	s.Seal.SHA256, err = s.hash()
	return s, err
}

// WriteJSON writes the sealed plan.
func (s *SealedPlan) WriteJSON(w io.Writer) error { return writeJSON(w, s) }

// ErrNotSealed is the kind of a plan that nobody has approved.
var ErrNotSealed = errors.New("the plan is not sealed: `seatlake reclaim approve` seals it")

// ErrChanged is the kind of a sealed plan that was changed afterwards.
var ErrChanged = errors.New("the plan was changed after it was sealed: use the sealed file as it was written, or make a new plan")

// ReadSealed reads a sealed plan and compares it with its hash. The ledger has the
// last word on it; see Book.Sealed.
func ReadSealed(body []byte) (*SealedPlan, error) {
	if _, err := ReadPlan(body); err != nil {
		return nil, err
	}
	var s SealedPlan
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("it is not a sealed plan: %w", err)
	}
	if s.Seal.SHA256 == "" {
		return nil, ErrNotSealed
	}
	sum, err := s.hash()
	if err != nil {
		return nil, err
	}
	if sum != s.Seal.SHA256 {
		return nil, ErrChanged
	}
	return &s, nil
}
