package transform

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// usersBatch is the columns of a users batch that licences are made of.
type usersBatch struct {
	rows int
	id   *array.FixedSizeBinary

	held         *array.List
	heldEntry    *array.Struct
	heldSKU      dictColumn[[16]byte]
	heldDisabled planLists

	states        *array.List
	stateEntry    *array.Struct
	stateSKU      dictColumn[[16]byte]
	stateDisabled planLists
	stateGroup    dictColumn[[16]byte]
	stateName     dictColumn[string]
	stateError    dictColumn[string]
	stateUpdated  *array.Timestamp
}

// planLists is a column of lists of service plans.
type planLists struct {
	lists *array.List
	plans dictColumn[[16]byte]
}

func readPlanLists(a arrow.Array) planLists {
	lists := a.(*array.List)
	return planLists{lists: lists, plans: readUUIDs(lists.ListValues())}
}

// appendTo appends the positions of row i's plans in the dictionary.
func (p *planLists) appendTo(into []int32, i int) []int32 {
	if p.lists.IsNull(i) {
		return into
	}
	from, to := p.lists.ValueOffsets(i)
	for j := int(from); j < int(to); j++ {
		if plan := p.plans.at(j); plan >= 0 {
			into = append(into, plan)
		}
	}
	return into
}

func readUsers(batch arrow.RecordBatch, at []int) *usersBatch {
	u := &usersBatch{
		rows:   int(batch.NumRows()),
		id:     batch.Column(at[0]).(*array.FixedSizeBinary),
		held:   batch.Column(at[1]).(*array.List),
		states: batch.Column(at[2]).(*array.List),
	}
	u.heldEntry = u.held.ListValues().(*array.Struct)
	u.heldSKU = readUUIDs(u.heldEntry.Field(0))
	u.heldDisabled = readPlanLists(u.heldEntry.Field(1))
	u.stateEntry = u.states.ListValues().(*array.Struct)
	u.stateSKU = readUUIDs(u.stateEntry.Field(0))
	u.stateDisabled = readPlanLists(u.stateEntry.Field(1))
	u.stateGroup = readUUIDs(u.stateEntry.Field(2))
	u.stateName = readTexts(u.stateEntry.Field(3))
	u.stateError = readTexts(u.stateEntry.Field(4))
	u.stateUpdated = u.stateEntry.Field(5).(*array.Timestamp)
	return u
}
