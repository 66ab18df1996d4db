-- Grain: one row per user and SKU whose plans can be weighed: managed, paid, a user's, usable today, assigned without an error.
with held as (
  select
    tenant_id,
    user_id,
    sku_id,
    max(assigned_by) as assigned_by,
    max(assignment_state) as assignment_state,
    max(disabled_plans) as disabled_plans,
    any_value(disabled_plan_ids) as disabled_plan_ids
  from {{ ref('int_user_licenses') }}
  where holds_seat
  group by 1, 2, 3
)

select
  h.tenant_id,
  h.user_id,
  h.sku_id,
  h.assigned_by,
  h.disabled_plan_ids,
  -- Files of before the ids were stored say how many plans are off, and not which.
  case
    when h.disabled_plan_ids is not null then array_join(h.disabled_plan_ids, ',')
    when h.disabled_plans = 0 then ''
    else '?'
  end as off_key
from held as h
join {{ ref('int_skus') }} as k on k.tenant_id = h.tenant_id and k.sku_id = h.sku_id
join {{ ref('int_sku_classes') }} as c on c.tenant_id = h.tenant_id and c.sku_id = h.sku_id
where k.is_managed
  and k.license_class = 'paid'
  and k.capability_status in ('Enabled', 'Warning')
  and c.assignment_class = 'user'
  and coalesce(h.assignment_state, 'Active') = 'Active'
