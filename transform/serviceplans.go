package transform

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// ServicePlans makes the rows of graph_service_plans, without the columns that
// Stamp adds, of the subscribed SKUs: one for each plan of each SKU, in their
// order. Of a plan that a SKU lists twice, the first is taken. A SKU or plan
// without an id is an error.
func ServicePlans() pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		at, err := positions(in.Schema, schemas.GraphSubscribedSkus, "sku_id", "service_plans")
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("service plans: %w", err)
		}
		schema := unstamped(schemas.GraphServicePlans)
		return pipeline.Map(in, schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
			columns, err := servicePlans(batch.Column(at[0]).(*array.FixedSizeBinary), batch.Column(at[1]).(*array.List))
			if err != nil {
				return nil, fmt.Errorf("service plans: %w", err)
			}
			defer release(columns)
			return array.NewRecordBatch(schema, columns, int64(columns[0].Len())), nil
		}), nil
	}
}

// unstamped is the schema of a table without the columns that Stamp adds.
func unstamped(table *schemas.Table) *arrow.Schema {
	var fields []schemas.Field
	for _, f := range table.Fields {
		if f.Name != "tenant_id" && f.Name != table.Partition {
			fields = append(fields, f)
		}
	}
	return schemas.ArrowSchema(fields)
}

func servicePlans(sku *array.FixedSizeBinary, lists *array.List) ([]arrow.Array, error) {
	plans := lists.ListValues().(*array.Struct)
	var (
		planID    = plans.Field(0).(*array.FixedSizeBinary)
		planName  = plans.Field(1).(*array.String)
		planState = readTexts(plans.Field(2))
		planFor   = readTexts(plans.Field(3))

		skuIDs, planIDs       values[[16]byte]
		names                 values[string]
		skuColumn, planColumn column[int32]
		nameColumn            column[int32]
		stateColumn           column[int32]
		forColumn             column[int32]
	)
	for row := range sku.Len() {
		if sku.IsNull(row) {
			return nil, fmt.Errorf("row %d of the batch has no sku_id", row)
		}
		if lists.IsNull(row) {
			continue
		}
		listed := map[[16]byte]bool{}
		from, to := lists.ValueOffsets(row)
		for i := int(from); i < int(to); i++ {
			if plans.IsNull(i) || planID.IsNull(i) {
				return nil, fmt.Errorf("row %d of the batch lists a plan without service_plan_id", row)
			}
			id := uuidAt(planID, i)
			if listed[id] {
				continue
			}
			listed[id] = true
			skuColumn.append(skuIDs.index(uuidAt(sku, row)))
			planColumn.append(planIDs.index(id))
			if planName.IsNull(i) {
				nameColumn.appendNull()
			} else {
				nameColumn.append(names.index(strings.Clone(planName.Value(i))))
			}
			appendIndex(&stateColumn, planState.at(i))
			appendIndex(&forColumn, planFor.at(i))
		}
	}
	return []arrow.Array{
		dictionary(&skuColumn, uuids(uuidBytes(skuIDs.seen))),
		dictionary(&planColumn, uuids(uuidBytes(planIDs.seen))),
		dictionary(&nameColumn, texts(names.seen)),
		dictionary(&stateColumn, texts(planState.values)),
		dictionary(&forColumn, texts(planFor.values)),
	}, nil
}

// appendIndex appends an index, or null for -1.
func appendIndex(c *column[int32], index int32) {
	if index < 0 {
		c.appendNull()
		return
	}
	c.append(index)
}
