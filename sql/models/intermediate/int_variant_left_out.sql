-- Grain: one row per variant that has plans which only a rule that asks for a look makes immaterial.
with switched_off as (
  select v.variant, cast(t.plan_id as varchar) as service_plan_id
  from {{ ref('int_license_variants') }} as v
  cross join unnest(v.disabled_plan_ids) as t(plan_id)
),

left_out as (
  select distinct v.variant, p.immaterial_rule, upper(p.plan_key) as plan_name
  from {{ ref('int_license_variants') }} as v
  join {{ ref('int_sku_plans') }} as p on p.tenant_id = v.tenant_id and p.sku_id = v.sku_id
  left join switched_off as o on o.variant = v.variant and o.service_plan_id = p.service_plan_id
  where p.is_provisioned and p.needs_confirmation and o.variant is null
)

select variant, min(immaterial_rule) as rule, array_join(array_agg(plan_name order by plan_name), ', ') as plans
from left_out
group by 1
