package main

import (
	"strings"
	"testing"
	"time"

	"seatlake/load/reclaim"
)

// carefulPolicy is the default.
var carefulPolicy = ReclaimPolicy{
	Limits: reclaim.Limits{Share: 500, Licenses: 500}, MinConfidence: "medium", Expires: 14 * 24 * time.Hour,
	Waiting: reclaim.Policy{Wait: 5 * 24 * time.Hour}, StopAfter: 3, FailureShare: 2000,
}

func TestSharesAreExact(t *testing.T) {
	for text, want := range map[string]int{
		"5%": 500, "5 %": 500, "2.5%": 250, "0.25%": 25, "100%": 10_000, "0%": 0, "0.05": 500, "0.0005": 5, "1": 10_000, "0.050": 500, "0": 0,
		"5": -1, "101%": -1, "1.01": -1, "-5%": -1, "0.001%": -1, "0.00005": -1, "five": -1, "": -1, "5%%": -1, "1e-2": -1,
	} {
		got, ok := parseShare(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestReclaimPolicy(t *testing.T) {
	const rest = "tenants: [{name: c, id: contoso.com, auth: {method: client_secret, client_id: 11112222-bbbb-3333-cccc-4444dddd5555, client_secret: x}}]\n"
	t.Run("every default is the careful one", func(t *testing.T) {
		c, err := loadText(t, rest)
		if err != nil {
			t.Fatal(err)
		}
		if c.Reclaim.Policy != carefulPolicy {
			t.Errorf("%+v, want %+v", c.Reclaim.Policy, carefulPolicy)
		}
	})
	t.Run("every key is read", func(t *testing.T) {
		c, err := loadText(t, rest+"reclaim: {max_share: 10%, max_licenses: 9, min_confidence: high, expires: 7d, wait: 2d, no_answer: take, second_approval: true, stop_after_failures: 1, max_failure_share: 0.5}\n")
		if err != nil {
			t.Fatal(err)
		}
		want := ReclaimPolicy{
			Limits: reclaim.Limits{Share: 1000, Licenses: 9}, MinConfidence: "high", Expires: 7 * 24 * time.Hour,
			Waiting: reclaim.Policy{Wait: 2 * 24 * time.Hour, TakeUnanswered: true, SecondApproval: true}, StopAfter: 1, FailureShare: 5000,
		}
		if c.Reclaim.Policy != want {
			t.Errorf("%+v, want %+v", c.Reclaim.Policy, want)
		}
	})
	t.Run("every fault is named", func(t *testing.T) {
		_, err := loadText(t, rest+"reclaim: {max_share: 500, max_licenses: 0, min_confidence: sure, expires: 14, no_answer: maybe, second_approval: yes please, max_shere: 1}\n")
		if err == nil {
			t.Fatal("no error")
		}
		for _, part := range []string{"reclaim.max_share", "reclaim.max_licenses", "low or medium or high", "has no unit", "keep or take", "true or false", "did you mean max_share"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v\ndoes not say %q", err, part)
			}
		}
	})
}

// loadText loads a configuration.
func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return LoadConfig(write(t, text), environment)
}
