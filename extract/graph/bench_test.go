package graph

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"seatlake/pipeline"
)

// BenchmarkPages is what the client adds to a page of 500 users once it is here:
// reading, unpacking, checking its envelope.
func BenchmarkPages(b *testing.B) {
	var rows []string
	for i := range 500 {
		rows = append(rows, fmt.Sprintf(`{"id":"%08x-2584-42f0-aa47-657fb3a84230","userPrincipalName":"user%d@contoso.com","accountEnabled":true,`+
			`"assignedLicenses":[{"skuId":"05e9a617-0261-4cee-bb44-138d3ef5d965","disabledPlans":[]}],`+
			`"signInActivity":{"lastSignInDateTime":"2026-10-0%dT09:15:02Z"}}`, i, i, i%9+1))
	}
	page := `{"value":[` + strings.Join(rows, ",") + `]}`
	packed := zipped(b, page)
	client := offline(b, func(r *http.Request) (*http.Response, error) {
		resp := answerOf(r, bytes.NewReader(packed))
		resp.Header.Set("Content-Encoding", "gzip")
		resp.ContentLength = int64(len(packed))
		return resp, nil
	})
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := collect(client.Pages(b.Context(), pipeline.Users, pipeline.Window{})); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
