package pipeline

import (
	"errors"
	"strings"
	"testing"

	"seatlake/schemas"
)

func TestOptionalSources(t *testing.T) {
	run := Run{ID: "01", Tenant: "contoso", Started: started}
	denied := &Gap{State: Denied, Reason: "not granted"}
	pipelineOf := func(source scriptedSource, d *memoryDataset) *Pipeline {
		p := testPipeline(source, d)
		p.Jobs = append(p.Jobs, Job{Source: Subscriptions, Optional: true, Decoder: lengthDecoder{}, Outputs: []Output{{Table: schemas.GraphSubscriptions}}})
		return p
	}

	t.Run("one that is refused is in the coverage, and marked", func(t *testing.T) {
		d := &memoryDataset{}
		published, err := pipelineOf(scriptedSource{Subscriptions: denied}, d).Run(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range published.Commit.Coverage {
			switch {
			case c.Table == "graph_subscriptions" && (c.State != Denied || !c.Optional):
				t.Errorf("coverage %+v", c)
			case c.Table != "graph_subscriptions" && (c.State != Complete || c.Optional):
				t.Errorf("coverage %+v", c)
			}
		}
	})

	t.Run("having read one alone is having read nothing", func(t *testing.T) {
		d := &memoryDataset{}
		_, err := pipelineOf(scriptedSource{Users: denied, ReportEmail: denied, SignIns: denied}, d).Run(t.Context(), run)
		if !errors.Is(err, ErrNothingRead) || d.committed != nil || strings.Contains(err.Error(), "graph_subscriptions") {
			t.Errorf("committed %v, %v", d.committed, err)
		}
	})
}
