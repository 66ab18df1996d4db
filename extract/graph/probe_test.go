package graph

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"seatlake/pipeline"
)

func TestProbe(t *testing.T) {
	t.Run("asks for one row, once, and tells the clocks", func(t *testing.T) {
		for source, want := range map[string]string{
			pipeline.Users: "$top=1", pipeline.SignIns: "$top=1", pipeline.SubscribedSkus: "", pipeline.ReportSettings: "",
		} {
			date := time.Date(2026, 10, 8, 9, 0, 0, 0, time.UTC)
			cloud := newCloud(t, inTurn(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", date.Format(http.TimeFormat))
				text(`{"value":[]}`)(w, r)
			}))
			found, err := cloud.client().Probe(t.Context(), source)
			if err != nil || !found.Date.Equal(date) || !found.Own.Equal(cloud.clock.Now()) || found.Note != "" {
				t.Errorf("%s: %+v, %v", source, found, err)
			}
			if sent := cloud.graphRequests(); len(sent) != 1 || !strings.HasSuffix(sent[0].Query, want) || sent[0].Method != http.MethodGet {
				t.Errorf("%s: sent %+v", source, sent)
			}
		}
	})

	t.Run("says what is left out", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, sample(t, "403-not-premium"), text(`{"value":[]}`)))
		found, err := cloud.client().Probe(t.Context(), pipeline.Users)
		if err != nil || !strings.Contains(found.Note, "signInActivity") {
			t.Errorf("%+v, %v", found, err)
		}
	})

	t.Run("knocks at the host of a report's link, without the token", func(t *testing.T) {
		var method, authorization string
		files := storage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			method, authorization = r.Method, r.Header.Get("Authorization")
			w.WriteHeader(http.StatusMethodNotAllowed) // is a sign of life, too
		}))
		cloud := newCloud(t, inTurn(t, redirect(files.URL+"/data?token=abc")))
		found, err := cloud.client().Probe(t.Context(), pipeline.ReportActivations)
		if err != nil || found.Unreachable != nil || "http://"+found.Host != files.URL {
			t.Errorf("%+v, %v", found, err)
		}
		if method != http.MethodHead || authorization != "" {
			t.Errorf("sent %s with authorization %q", method, authorization)
		}
	})

	t.Run("tells of a host that does not answer, and not of its link", func(t *testing.T) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		cloud := newCloud(t, inTurn(t, redirect(gone.URL+"/data/"+canaryLink+"?token="+canaryLink)))
		found, err := cloud.client().Probe(t.Context(), pipeline.ReportActivations)
		if err != nil || found.Unreachable == nil || strings.Contains(found.Unreachable.Error(), canaryLink) {
			t.Errorf("%+v, %v", found, err)
		}
	})

	t.Run("ends in a gap where reading would", func(t *testing.T) {
		for source, state := range map[string]pipeline.State{pipeline.SubscribedSkus: pipeline.Denied, pipeline.Subscriptions: pipeline.Denied} {
			cloud := newCloud(t, inTurn(t, sample(t, "403-directory")))
			_, err := cloud.client().Probe(t.Context(), source)
			if gap, ok := pipeline.AsGap(err); !ok || gap.State != state || !strings.Contains(gap.Reason, Permission(source)) {
				t.Errorf("%s: %v", source, err)
			}
		}
		cloud := newCloud(t, inTurn(t, sample(t, "404-not-found")))
		_, err := cloud.client().Probe(t.Context(), pipeline.Subscriptions)
		if gap, ok := pipeline.AsGap(err); !ok || gap.State != pipeline.Missing {
			t.Errorf("%v", err)
		}
		cloud = newCloud(t, inTurn(t, sample(t, "404-not-found")))
		_, err = cloud.client().Probe(t.Context(), pipeline.SubscribedSkus)
		if _, ok := pipeline.AsGap(err); ok {
			t.Errorf("a source that is not optional is a gap: %v", err)
		}
		want(t, err, "subscribed_skus", "404")
	})
}

func TestADeniedPersonLacksARole(t *testing.T) {
	cloud := newCloud(t, sample(t, "403-reports"))
	cloud.token = withType(text(`{"token_type":"Bearer","expires_in":3599,"access_token":"` + unsigned(`{"tid":"`+directoryID+`","scp":"User.Read.All Reports.Read.All"}`) + `"}`))
	_, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportEmail, pipeline.Window{}))
	gap, ok := pipeline.AsGap(err)
	if !ok || gap.State != pipeline.Denied || !strings.Contains(gap.Reason, "Reports Reader") {
		t.Errorf("not the gap that was expected: %v", err)
	}
}
