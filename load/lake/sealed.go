package lake

import "time"

// sealedFormat is the format in lake.json of a lake whose names of persons are sealed:
// the layout is that of Format, and a program that knows no sealing has to leave the
// lake alone, for it would put names in clear beside sealed ones.
const sealedFormat = 2

// CreateSealed is Create for a lake whose names of persons are sealed with the key of
// the id. A lake that is there is opened as it is: SealedBy says whether that is what
// was asked for. Sealing is not done here: it is in what is written and kept.
func CreateSealed(dir, keyID string, now func() time.Time) (*Lake, error) {
	s, err := directory(dir)
	if err != nil {
		return nil, err
	}
	return create(s, keyID, now)
}

// SealedBy is the id of the key that the lake's names of persons are sealed with; empty
// when they are clear. The key itself is nowhere in the lake.
func (l *Lake) SealedBy() string { return l.sealedBy }

// newIdentity is the lake.json of a new lake.
func newIdentity(lakeID, keyID string) identity {
	if keyID == "" {
		return identity{Format: Format, LakeID: lakeID}
	}
	return identity{Format: sealedFormat, LakeID: lakeID, SealedBy: keyID}
}

// layout is the format of the lake's layout.
func (id identity) layout() int {
	if id.Format == sealedFormat && id.SealedBy != "" {
		return Format
	}
	return id.Format
}
