package catalog

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// SKUStream is the rows of schemas.CatalogSkus, by GUID.
func (c *Catalog) SKUStream(mem memory.Allocator) pipeline.Stream {
	return one(schemas.CatalogSkus.Arrow(), mem, func(b *array.RecordBuilder) error {
		id := b.Field(0).(*array.FixedSizeBinaryBuilder)
		part := b.Field(1).(*array.StringBuilder)
		name := b.Field(2).(*array.StringBuilder)
		for s := range c.SKUs() {
			id.Append(s.ID[:])
			part.Append(s.PartNumber)
			name.Append(s.Name)
		}
		return nil
	})
}

// PlanStream is the rows of schemas.CatalogServicePlans: by SKU, plan, then
// service.
func (c *Catalog) PlanStream(mem memory.Allocator) pipeline.Stream {
	return one(schemas.CatalogServicePlans.Arrow(), mem, func(b *array.RecordBuilder) error {
		skuID := b.Field(0).(*array.FixedSizeBinaryDictionaryBuilder)
		planID := b.Field(1).(*array.FixedSizeBinaryDictionaryBuilder)
		name := b.Field(2).(*array.BinaryDictionaryBuilder)
		friendly := b.Field(3).(*array.BinaryDictionaryBuilder)
		service := b.Field(4).(*array.BinaryDictionaryBuilder)
		row := func(s sku, p Plan, of schemas.Service) error {
			if err := skuID.Append(s.ID[:]); err != nil {
				return err
			}
			if err := planID.Append(p.ID[:]); err != nil {
				return err
			}
			if err := name.AppendString(p.Name); err != nil {
				return err
			}
			if err := appendOrNull(friendly, p.FriendlyName); err != nil {
				return err
			}
			return appendOrNull(service, string(of))
		}
		for _, s := range c.skus {
			for _, p := range s.plans {
				of := c.services[p]
				if len(of) == 0 {
					of = []schemas.Service{""} // the row that says none
				}
				for _, service := range of {
					if err := row(s, c.plans[p], service); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

func appendOrNull(b *array.BinaryDictionaryBuilder, s string) error {
	if s == "" {
		b.AppendNull()
		return nil
	}
	return b.AppendString(s)
}

// one is a stream of one batch, built when it is asked for.
func one(schema *arrow.Schema, mem memory.Allocator, fill func(*array.RecordBuilder) error) pipeline.Stream {
	return pipeline.Stream{Schema: schema, Batches: func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(mem, schema)
		defer b.Release()
		if err := fill(b); err != nil {
			yield(nil, err)
			return
		}
		batch := b.NewRecordBatch()
		defer batch.Release()
		yield(batch, nil)
	}}
}
