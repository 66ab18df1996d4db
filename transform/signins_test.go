package transform

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seatlake/schemas"
)

func TestSignInServicesTakesTheFirstRuleForAppsThenForResources(t *testing.T) {
	in := tableSchema(schemas.GraphSignIns, "id", "app_id", "resource_id")
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
			return Rule{
				Name:    rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
				Match:   rapid.SampledFrom([]string{"app", "resource"}).Draw(t, "match"),
				ID:      uuid(rapid.IntRange(0, 5).Draw(t, "id")),
				Service: string(rapid.SampledFrom(schemas.Services()).Draw(t, "service")),
			}
		}), 0, 6).Draw(t, "rules")
		want := []row{}
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			return row{"id": uuidDraw.Draw(t, "id"), "app_id": nullable(uuidDraw).Draw(t, "app"), "resource_id": nullable(uuidDraw).Draw(t, "resource")}
		}), 0, 12).Draw(t, "rows")
		for _, r := range rows {
			w := with(with(r, "service", nil), "service_rule", nil)
		match:
			for _, kind := range []string{"app", "resource"} {
				for _, rule := range rules {
					if rule.Match == kind && r[kind+"_id"] != nil && [16]byte(unhex(r[kind+"_id"])) == rule.ID {
						w["service"], w["service_rule"] = rule.Service, rule.Name
						break match
					}
				}
			}
			want = append(want, w)
		}
		got, err := run(t, in, rows, sizesDraw.Draw(t, "sizes"), SignInServices(rules))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestSignInServicesNamesEveryFaultyRule(t *testing.T) {
	in := tableSchema(schemas.GraphSignIns, "id", "app_id", "resource_id")
	_, err := run(t, in, nil, nil, SignInServices([]Rule{
		{Name: "power-bi", Match: "app", Service: "Power BI"},
		{Name: "outlook", Match: "application", Service: "Outlook"},
		{Match: "app", Service: "Paint"},
	}))
	if err == nil {
		t.Fatal("the rules were taken")
	}
	for _, want := range []string{`rule 2 (outlook): match is "application"`, "rule 3 has no name", `"Paint" is not one of the services`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "rule 1") {
		t.Errorf("error is %v, and rule 1 has no fault", err)
	}
}

func TestServicePlansAreOneRowEach(t *testing.T) {
	in := tableSchema(schemas.GraphSubscribedSkus, "sku_part_number", "sku_id", "service_plans")
	texts := rapid.SampledFrom([]any{nil, "Success", "User", "EXCHANGE_S_STANDARD"})
	rapid.Check(t, func(t *rapid.T) {
		want := []row{}
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			plans := nullable(rapid.Map(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any {
				return row{
					"service_plan_id": uuidDraw.Draw(t, "plan"), "service_plan_name": texts.Draw(t, "name"),
					"provisioning_status": texts.Draw(t, "status"), "applies_to": texts.Draw(t, "applies to"),
				}
			}), 0, 5), func(l []any) any { return l }))
			return row{"sku_id": uuidDraw.Draw(t, "sku"), "service_plans": plans.Draw(t, "plans")}
		}), 0, 8).Draw(t, "rows")
		for _, r := range rows {
			listed := map[any]bool{}
			for _, p := range elements(r["service_plans"]) {
				if !listed[p["service_plan_id"]] {
					want = append(want, with(p, "sku_id", r["sku_id"]))
				}
				listed[p["service_plan_id"]] = true
			}
		}
		got, err := run(t, in, rows, sizesDraw.Draw(t, "sizes"), ServicePlans())
		if err != nil {
			t.Fatalf("%v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestServicePlansRefuseWhatHasNoId(t *testing.T) {
	in := tableSchema(schemas.GraphSubscribedSkus, "sku_id", "service_plans")
	for name, r := range map[string]row{
		"a SKU":  {"service_plans": []any{row{"service_plan_id": id(1)}}},
		"a plan": {"sku_id": id(1), "service_plans": []any{row{}}},
		"null":   {"sku_id": id(1), "service_plans": []any{nil}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := run(t, in, []row{r}, nil, ServicePlans()); err == nil {
				t.Error("the row was taken")
			}
		})
	}
}
