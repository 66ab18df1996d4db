package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// command is the program itself, built for the occasion.
type command struct{ binary string }

func buildCommand(dir, module string) (*command, error) {
	c := &command{binary: filepath.Join(dir, "seatlake")}
	build := exec.Command("go", "build", "-o", c.binary, "./cmd/seatlake")
	build.Dir, build.Stderr = module, os.Stderr
	return c, build.Run()
}

// workplace is a configuration with a lake beside it.
type workplace struct{ dir string }

func newWorkplace(dir, root string) (*workplace, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`lake: ./lake
tenants:
  - name: bench
    id: %s
    cloud: {graph: %q, login: %q}
    auth:
      method: client_secret
      client_id: %s
      client_secret: ${SEATLAKE_CLIENT_SECRET}
`, tenantID, root, root, clientID)
	return &workplace{dir}, os.WriteFile(filepath.Join(dir, "seatlake.yaml"), []byte(text), 0o600)
}

func (w *workplace) empty() error { return os.RemoveAll(filepath.Join(w.dir, "lake")) }

// measured is what an invocation took.
type measured struct {
	wall      time.Duration
	processor time.Duration // in all its threads
	peak      int64         // bytes of memory the process held at most; 0 where that is not known
}

// run invokes the program on some cores. Coverage gaps are no failure: the server
// has no optional sources.
func (c *command) run(w *workplace, cores int, arguments ...string) (measured, error) {
	arguments = append(arguments, "-c", filepath.Join(w.dir, "seatlake.yaml"), "--now", base.Format(time.RFC3339), "--log-format", "json")
	p := exec.Command(c.binary, arguments...)
	p.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GOMAXPROCS=") }),
		fmt.Sprintf("GOMAXPROCS=%d", cores), "SEATLAKE_CLIENT_SECRET="+secret)
	var log bytes.Buffer
	p.Stdout, p.Stderr = &log, &log
	start := time.Now()
	if err := p.Start(); err != nil {
		return measured{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	var m measured
	for {
		select {
		case err := <-ended:
			m.wall, m.processor = time.Since(start), p.ProcessState.UserTime()+p.ProcessState.SystemTime()
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
				err = nil
			}
			if err != nil {
				return m, fmt.Errorf("seatlake %s: %w\n%s", arguments[0], err, log.Bytes())
			}
			return m, nil
		case <-time.After(20 * time.Millisecond):
			m.peak = max(m.peak, peakOf(p.Process.Pid))
		}
	}
}

// peakOf is what Linux says a process held at most; 0 elsewhere.
func peakOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}
