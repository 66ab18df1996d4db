package main

import (
	"context"
	"fmt"

	"seatlake/load/lake"
)

// bucket tells whether a lake's bucket gives the rights that a run needs, what killed
// uploads have left there, and whether this machine has room to work.
func (d *doctor) bucket(ctx context.Context) {
	probe, err := d.cfg.place().Probe(ctx)
	if err != nil {
		d.homeless = true
		d.say(finding{Check: "lake", Status: ailment, Found: err.Error(), Costs: "nothing can be published", Cure: "name a bucket that this machine reaches as lake in " + d.cfg.Path})
		return
	}
	for _, r := range probe.Rights {
		if r.Err != nil {
			d.homeless = true
			d.say(finding{
				Check: "lake", Status: ailment, Found: fmt.Sprintf("the right to %s is missing: %v", r.Name, r.Err), Costs: r.Costs,
				Cure: "give the identity that runs seatlake this right on the bucket; docs/buckets.md lists all of them for each store",
			})
		}
	}
	if !d.homeless {
		d.say(finding{Check: "lake", Status: healthy, Found: probe.Where + " lets objects be put, created if absent, read, listed and removed"})
	}
	d.leftovers(probe)
	if dir, err := probeDirectory(probe.Work); err != nil {
		d.homeless = true
		d.say(finding{
			Check: "work_dir", Status: ailment, Found: err.Error(), Costs: "no run can keep its pages or write its files before they go to the bucket",
			Cure: "give this user the right to make files there, or name another directory as work_dir in " + d.cfg.Path,
		})
	} else {
		d.say(finding{Check: "work_dir", Status: healthy, Found: probe.Work + " takes files, links and fsync"})
		d.disk(dir)
	}
}

// leftovers tells of uploads that were never finished, which are paid for and which no
// list of objects shows.
func (d *doctor) leftovers(p *lake.Probe) {
	const rule = "add a rule to the bucket's lifecycle that ends unfinished multipart uploads after seven days"
	switch {
	case p.Scheme != "s3":
	case p.UnfinishedErr != nil:
		d.say(finding{Check: "uploads", Status: warning, Found: "unfinished uploads cannot be listed: " + p.UnfinishedErr.Error(), Costs: "parts that killed uploads left are paid for until someone removes them", Cure: rule})
	case p.Unfinished > 0:
		d.say(finding{Check: "uploads", Status: warning, Found: fmt.Sprintf("%d uploads were begun below the lake and not finished, the oldest on %s", p.Unfinished, p.Oldest.UTC().Format("2006-01-02")), Costs: "their parts are paid for and not shown among the objects", Cure: rule})
	default:
		d.say(finding{Check: "uploads", Status: healthy, Found: "no upload was left unfinished"})
	}
}
