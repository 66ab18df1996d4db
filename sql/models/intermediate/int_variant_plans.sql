-- Grain: one row per variant and plan, plans by their names in lower case, that is material, provisioned and switched on.
with switched_off as (
  select v.variant, cast(t.plan_id as varchar) as service_plan_id
  from {{ ref('int_license_variants') }} as v
  cross join unnest(v.disabled_plan_ids) as t(plan_id)
)

select
  v.variant,
  p.plan_key,
  min(p.service_plan_name) as service_plan_name,
  -- Where it is not known which plans are off, the licence may need each of its plans and gives none for certain.
  v.off_key <> '?' as is_given
from {{ ref('int_license_variants') }} as v
join {{ ref('int_sku_plans') }} as p on p.tenant_id = v.tenant_id and p.sku_id = v.sku_id
left join switched_off as o on o.variant = v.variant and o.service_plan_id = p.service_plan_id
where p.is_provisioned and p.immaterial_rule is null and o.variant is null
group by 1, 2, 4
