package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"
)

// leaseDir holds a file per tenant that is being read, or from which licences are taken.
const leaseDir = "_lease"

// Holder is who has a tenant.
type Holder struct {
	Host    string    `json:"host"`
	Process int       `json:"process"`
	Since   time.Time `json:"since"` // UTC
}

// HeldError is the error of a lease that another process has.
type HeldError struct {
	TenantID string
	Holder   Holder // zero when it cannot be told
}

func (e *HeldError) Error() string {
	by := "by another process"
	if e.Holder.Process != 0 {
		by = fmt.Sprintf("by process %d on %s since %s", e.Holder.Process, e.Holder.Host, e.Holder.Since.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("tenant %s is in use %s: run again when that has ended, or wait with --wait", e.TenantID, by)
}

// Lease is the right to read a tenant, or to take licences from it. It is a courtesy between processes, so that
// two do not spend the tenant's share of Graph's limits twice: what keeps commits
// apart is the log. It ends with the process at the latest; where files cannot be
// locked, every process gets one. In a bucket it keeps machines apart as well: there
// it ends when its holder has given no sign of life for a while (leaseTimes).
type Lease struct {
	store  *store // of the directory with the locked file
	name   string
	file   *os.File
	object *leaseObject // nil in a directory
}

// Lease takes the lease of a tenant. It does not wait for it: the error of one that
// another process has is a *HeldError. Of a bucket it may take as long as a sign of
// life, or as the want of one, to tell a holder that lives from one that died.
func (l *Lake) Lease(tenantID string, h Holder) (*Lease, error) {
	if !guidForm.MatchString(tenantID) {
		return nil, fmt.Errorf("tenant id %q is not a lower-case GUID", tenantID)
	}
	work := l.store.work()
	if err := work.mkdir(leaseDir); err != nil {
		return nil, err
	}
	name := path.Join(leaseDir, tenantID+".json")
	file, err := work.acquire(name, os.O_CREATE)
	if errors.Is(err, errHeld) { // or given back at this moment
		file, err = work.acquire(name, os.O_CREATE)
	}
	if errors.Is(err, errHeld) {
		return nil, &HeldError{TenantID: tenantID, Holder: work.holder(name)}
	}
	if err != nil {
		return nil, err
	}
	lease := &Lease{store: work, name: name, file: file}
	if err := lease.sign(h); err != nil {
		return nil, errors.Join(fmt.Errorf("lease of tenant %s: %w", tenantID, err), lease.Release())
	}
	if l.store.bucket == nil {
		return lease, nil
	}
	lease.object, err = l.store.takeObject(name, h)
	if by := (*heldObject)(nil); errors.As(err, &by) {
		err = &HeldError{TenantID: tenantID, Holder: by.Holder}
	}
	if err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	return lease, nil
}

// sign writes the holder into the file, over that of a process that died.
func (l *Lease) sign(h Holder) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return l.store.do("write", l.name, func() error {
		if err := l.file.Truncate(0); err != nil {
			return err
		}
		_, err := l.file.WriteAt(append(body, '\n'), 0)
		return err
	})
}

// holder reads who has a lease; zero when the file is gone again or not yet
// written.
func (s *store) holder(name string) Holder {
	var h Holder
	body, err := s.read(name)
	if err != nil || json.Unmarshal(body, &h) != nil {
		return Holder{}
	}
	return h
}

// Release gives the lease back. A second call does nothing.
func (l *Lease) Release() error {
	if l.file == nil {
		return nil
	}
	err := l.object.release()
	l.object = nil
	err = errors.Join(err, l.store.remove(l.name)) // while it is locked, so that nobody else's is removed
	file := l.file
	l.file = nil
	if closed := file.Close(); closed != nil && !errors.Is(closed, fs.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}
