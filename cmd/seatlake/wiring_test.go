package main

import (
	"testing"
	"time"

	"seatlake/pipeline"
)

func TestSignInWindow(t *testing.T) {
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := "2026-10-08T06:00:00Z"
	for name, c := range map[string]struct{ watermark, from, unreadFrom, unreadTo string }{
		"the first run takes what Graph keeps, a part of the oldest day too":  {"", "2026-09-08T00:00:00Z", "", ""},
		"a run a day later reads the overlap again":                           {"2026-10-07T06:00:00Z", "2026-10-06T00:00:00Z", "", ""},
		"a second run of the day reads the overlap again":                     {"2026-10-08T05:00:00Z", "2026-10-07T00:00:00Z", "", ""},
		"a day that Graph no longer keeps whole is not read again":            {"2026-09-09T12:00:00Z", "2026-09-09T00:00:00Z", "", ""},
		"a watermark at the edge of what Graph keeps leaves nothing unread":   {"2026-09-09T00:00:00Z", "2026-09-09T00:00:00Z", "", ""},
		"a watermark that lies ahead within the overlap is believed":          {"2026-10-09T05:00:00Z", "2026-10-08T00:00:00Z", "", ""},
		"a watermark of a clock that ran ahead is not believed":               {"2026-10-11T06:00:00Z", "2026-09-09T00:00:00Z", "", ""},
		"what lies between an old watermark and what Graph keeps is not read": {"2026-08-01T06:00:00Z", "2026-09-09T00:00:00Z", "2026-08-01T06:00:00Z", "2026-09-09T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			asked, unread := signInWindow(at(now), at(c.watermark))
			if want := (pipeline.Window{From: at(c.from), To: at(now)}); asked != want {
				t.Errorf("asked for %v, want %v", asked, want)
			}
			if want := (pipeline.Window{From: at(c.unreadFrom), To: at(c.unreadTo)}); unread != want {
				t.Errorf("unread is %v, want %v", unread, want)
			}
		})
	}
}
