package graph

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"seatlake/pipeline"
)

func TestOptionalSources(t *testing.T) {
	reads := map[string]struct{ request, answer, permission string }{
		pipeline.Subscriptions: {
			"/v1.0/directory/subscriptions", `{"value":[]}`, "Organization.Read.All"},
		pipeline.UserRegistrationDetails: {
			"/v1.0/reports/authenticationMethods/userRegistrationDetails", `{"value":[]}`, "AuditLog.Read.All"},
		pipeline.ReportSettings: {
			"/v1.0/admin/reportSettings", `{"displayConcealedNames":true}`, "ReportSettings.Read.All"},
		pipeline.ReportCopilot: {
			"/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D28',version='v2')", reportCSV, "Reports.Read.All"},
	}
	for source, read := range reads {
		t.Run(source+" is one page", func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, text(read.answer)))
			pages, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
			if err != nil || len(pages) != 1 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			if got := cloud.graphRequests()[0].Path; got != read.request || pages[0].Request != read.request {
				t.Errorf("sent %s, page says %s, want %s", got, pages[0].Request, read.request)
			}
			if got := Permission(source); got != read.permission {
				t.Errorf("permission %q, want %q", got, read.permission)
			}
		})

		t.Run(source+" that is denied is a gap that names the permission", func(t *testing.T) {
			cloud := newCloud(t, inTurn(t, sample(t, "403-directory")))
			_, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
			if gap, ok := pipeline.AsGap(err); !ok || gap.State != pipeline.Denied || !strings.Contains(gap.Reason, read.permission) {
				t.Errorf("not the gap that was expected: %v", err)
			}
		})

		for name, answer := range map[string]http.HandlerFunc{
			"is not found": sample(t, "404-not-found"), "is not known": sample(t, "400-expand"), "is not implemented": sample(t, "501-not-in-collection"),
			"is overloaded for good": sample(t, "503-retry-after"), "is cut": text(`{"value":[{"id":"`),
		} {
			t.Run(source+" that "+name+" is missing", func(t *testing.T) {
				cloud := newCloud(t, answer)
				_, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
				if gap, ok := pipeline.AsGap(err); !ok || gap.State != pipeline.Missing || gap.Reason == "" || gap.Err == nil {
					t.Errorf("not the gap that was expected: %v", err)
				}
			})
		}

		for status, body := range map[int]string{403: "<html>blocked by policy</html>", 404: "404 page not found"} {
			t.Run(fmt.Sprintf("%s that a gateway answers with %d is missing", source, status), func(t *testing.T) {
				cloud := newCloud(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					io.WriteString(w, body)
				}))
				_, err := collect(cloud.client().Pages(t.Context(), source, pipeline.Window{}))
				if gap, ok := pipeline.AsGap(err); !ok || gap.State != pipeline.Missing {
					t.Errorf("not the gap that was expected: %v", err)
				}
			})
		}
	}

	t.Run("a source that a run needs is an error when it is not found", func(t *testing.T) {
		cloud := newCloud(t, sample(t, "404-not-found"))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.SubscribedSkus, pipeline.Window{}))
		if _, ok := pipeline.AsGap(err); ok {
			t.Errorf("recorded as a gap: %v", err)
		}
		want(t, err, "404")
	})

	t.Run("what is cut off after its first page is missing, and says where", func(t *testing.T) {
		cloud := newCloud(t, inTurn(t, users("/v1.0/reports/authenticationMethods/userRegistrationDetails?$skiptoken=a", "u1"), sample(t, "404-not-found")))
		_, err := collect(cloud.client().Pages(t.Context(), pipeline.UserRegistrationDetails, pipeline.Window{}))
		if gap, ok := pipeline.AsGap(err); !ok || gap.State != pipeline.Missing {
			t.Errorf("not the gap that was expected: %v", err)
		}
		want(t, err, "page 1", "404")
	})

	t.Run("Copilot's report may come by a link, too", func(t *testing.T) {
		files := storage(t, text(reportCSV))
		cloud := newCloud(t, inTurn(t, redirect(files.URL+"/data?token=abc")))
		pages, err := collect(cloud.client().Pages(t.Context(), pipeline.ReportCopilot, pipeline.Window{}))
		if err != nil || len(pages) != 1 || string(pages[0].Body) != reportCSV {
			t.Errorf("%d pages, %v", len(pages), err)
		}
	})
}
