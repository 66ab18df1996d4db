package graphsim

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestThrottleSaysHowLongToWait(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)
	_, c := open(t, Options{Users: 10, Throttle: true, Clock: func() time.Time { return now }})
	const path = "/beta/users?$select=id,signInActivity"
	for i := range 10 {
		if status, body := c.get(path); status >= 400 {
			t.Fatalf("call %d: %d %s", i+1, status, body)
		}
		now = now.Add(time.Second)
	}
	refused := func() time.Duration {
		t.Helper()
		r, _, err := c.try(path)
		if err != nil || r.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("not refused: %v %v", r.StatusCode, err)
		}
		wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
		if err != nil {
			t.Fatalf("Retry-After: %v", err)
		}
		return time.Duration(wait) * time.Second
	}
	// What is refused counts as well, so that two calls are to expire, and then three.
	if wait := refused(); wait != 51*time.Second {
		t.Errorf("Retry-After %v", wait)
	}
	wait := refused()
	if wait != 52*time.Second {
		t.Errorf("Retry-After %v", wait)
	}
	now = now.Add(wait)
	if status, body := c.get(path); status >= 400 {
		t.Errorf("after %v: %d %s", wait, status, body)
	}
}

func TestThrottleCountsAuditRequestsTogether(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 15, 2, 0, time.UTC)
	_, c := open(t, Options{Users: 10, SignIns: 10, Throttle: true, Clock: func() time.Time { return now }})
	for _, path := range []string{
		"/v1.0/auditLogs/signIns", "/v1.0/reports/authenticationMethods/userRegistrationDetails",
		"/v1.0/auditLogs/signIns", "/v1.0/reports/authenticationMethods/userRegistrationDetails", "/v1.0/auditLogs/signIns",
	} {
		if status, body := c.get(path); status >= 400 {
			t.Fatalf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := c.get("/v1.0/reports/authenticationMethods/userRegistrationDetails"); status != http.StatusTooManyRequests {
		t.Errorf("the sixth: %d", status)
	}
}
