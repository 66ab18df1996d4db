package lake

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// leaseTimes is how a lease in a bucket is kept alive. No clock of one machine is
// compared with that of another, nor with the store's: an observer looks whether the
// object changes, and measures by itself for how long it has not.
type leaseTimes struct {
	renew time.Duration // between two signs of life
	dead  time.Duration // without one, after which a holder is taken for dead
	look  time.Duration // between two looks of an observer
}

var usualLease = leaseTimes{renew: 10 * time.Second, dead: 60 * time.Second, look: time.Second}

// leaseObject is a lease in a bucket that this process has. The object is written if
// there is none, and again and again while the lease lasts.
type leaseObject struct {
	store *store
	name  string
	body  []byte
	end   chan struct{} // closed to end it
	ended chan struct{} // closed when nothing writes it any more
}

// leaseSigned is what the object says.
type leaseSigned struct {
	Holder
	Machine string `json:"machine"` // the id of the work directory
	Owner   string `json:"owner"`   // of this lease alone, so that no two have the same bytes
}

// heldObject is the error of a lease that a living process has.
type heldObject struct{ Holder }

func (h *heldObject) Error() string {
	return fmt.Sprintf("held by process %d on %s", h.Process, h.Host)
}

// takeObject takes a lease whose lock in the work directory this process holds. An
// object of this machine is then one of a process that died.
func (s *store) takeObject(name string, h Holder) (*leaseObject, error) {
	machine, err := s.work().machine()
	if err != nil {
		return nil, err
	}
	l := &leaseObject{store: s, name: name, end: make(chan struct{}), ended: make(chan struct{})}
	if l.body, err = json.Marshal(leaseSigned{h, machine, rand.Text()}); err != nil {
		return nil, err
	}
	for {
		err := s.do("link", name, func() error { return s.bucket.create(name, l.body) })
		if err == nil {
			go l.renew()
			return l, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		there, err := s.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // given back at this moment
		}
		if err != nil {
			return nil, err
		}
		var by leaseSigned
		ours := json.Unmarshal(there, &by) == nil && by.Machine == machine && locks
		if !ours {
			if dead, err := s.watch(name); err != nil {
				return nil, err
			} else if !dead {
				return nil, &heldObject{by.Holder}
			}
		}
		// Of two observers that see the same holder dead both may come as far as this,
		// and both go on: a lease is a courtesy.
		if now, err := s.read(name); err == nil && bytes.Equal(now, there) {
			if err := s.remove(name); err != nil {
				return nil, err
			}
		}
	}
}

// watch looks at a lease until it changes or has stood still for so long that its
// holder is dead. One that is given back is as good as dead.
func (s *store) watch(name string) (dead bool, err error) {
	first, err := s.stat(name)
	for {
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		still := time.NewTimer(s.bucket.lease.dead)
		for changed := false; !changed; {
			select {
			case <-s.bucket.ctx.Done():
				return false, s.bucket.ctx.Err()
			case <-still.C:
				return true, nil
			case <-time.After(s.bucket.lease.look):
			}
			now, err := s.stat(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return true, nil
			case err != nil:
				return false, err
			case !now.ModTime().Equal(first.ModTime()):
				return false, nil
			}
		}
	}
}

// renew writes the object again and again, until the lease ends or is another's. A
// write that fails is made up for by the next.
func (l *leaseObject) renew() {
	defer close(l.ended)
	for {
		select {
		case <-l.end:
			return
		case <-time.After(l.store.bucket.lease.renew):
		}
		if there, err := l.store.read(l.name); err == nil && bytes.Equal(there, l.body) {
			_ = l.store.bucket.put(l.name, l.body)
		}
	}
}

// release gives the lease back, unless it was taken over. No lease is given back well.
func (l *leaseObject) release() error {
	if l == nil {
		return nil
	}
	close(l.end)
	<-l.ended
	there, err := l.store.read(l.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !bytes.Equal(there, l.body):
		return nil
	}
	return l.store.remove(l.name)
}

// machineName is in the work directory alone, and tells it from that of another
// machine.
const machineName = "machine.txt"

// machine is the id of the work directory, which is made when it is first asked for.
func (s *store) machine() (string, error) {
	body, err := s.read(machineName)
	if errors.Is(err, fs.ErrNotExist) {
		t, err := s.scratch("machine")
		if err != nil {
			return "", err
		}
		err = t.putNew(machineName, []byte(strings.ToLower(rand.Text())+"\n"))
		if errors.Is(err, fs.ErrExist) { // another process was first
			err = nil
		}
		if err := errors.Join(err, t.remove()); err != nil {
			return "", err
		}
		body, err = s.read(machineName)
		return strings.TrimSpace(string(body)), err
	}
	return strings.TrimSpace(string(body)), err
}

// bucketTime is the time by the store's clock, which dates the objects.
func (s *store) bucketTime() (time.Time, error) {
	name := path.Join(leaseDir, "clock-"+strings.ToLower(rand.Text()))
	if err := s.do("rename", name, func() error { return s.bucket.put(name, nil) }); err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	info, err := s.stat(name)
	if err = errors.Join(err, s.remove(name)); err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	return info.ModTime(), nil
}
