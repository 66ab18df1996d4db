package transform

import (
	"github.com/apache/arrow-go/v18/arrow"

	"seatlake/schemas"
)

// TenantPlans is a probe over rows of graph_service_plans: which plans the tenant
// was told each of its SKUs has. It is read once the stream has ended.
type TenantPlans struct {
	plans map[[16]byte][]NamedPlan
	at    []int
}

// NamedPlan is a service plan by id and Microsoft's name, which may be empty.
type NamedPlan struct {
	ID   [16]byte
	Name string
}

// Bind finds the columns.
func (p *TenantPlans) Bind(in *arrow.Schema) (err error) {
	p.plans = map[[16]byte][]NamedPlan{}
	p.at, err = positions(in, schemas.GraphServicePlans, "sku_id", "service_plan_id", "service_plan_name")
	return err
}

// See learns. A row without ids, which ServicePlans never makes, says nothing.
func (p *TenantPlans) See(batch arrow.RecordBatch) {
	skus, ids, names := readUUIDs(batch.Column(p.at[0])), readUUIDs(batch.Column(p.at[1])), readTexts(batch.Column(p.at[2]))
	for row := range int(batch.NumRows()) {
		skuAt, idAt := skus.at(row), ids.at(row)
		if skuAt < 0 || idAt < 0 {
			continue
		}
		plan := NamedPlan{ID: ids.values[idAt]}
		if i := names.at(row); i >= 0 {
			plan.Name = names.values[i]
		}
		p.plans[skus.values[skuAt]] = append(p.plans[skus.values[skuAt]], plan)
	}
}

// Plans is what the tenant was told of a SKU; none when it was told nothing.
func (p *TenantPlans) Plans(sku [16]byte) []NamedPlan { return p.plans[sku] }

var _ Probe = (*TenantPlans)(nil)
