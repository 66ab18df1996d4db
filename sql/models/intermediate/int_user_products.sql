-- Grain: one row per user and product family that some licence of the user's entitles: how, the strongest way first.
with held as (
  select
    l.tenant_id,
    l.user_id,
    l.sku_id,
    any_value(l.disabled_plan_ids) as disabled_plan_ids
  from {{ ref('stg_user_licenses') }} as l
  join {{ ref('int_coverage') }} as c on c.tenant_id = l.tenant_id and c.logical_date = l.snapshot_date
  where c.table_name = 'graph_user_licenses' and c.is_measured and l.holds_seat
  group by 1, 2, 3
),

switched_off as (
  select h.tenant_id, h.user_id, h.sku_id, cast(t.plan_id as varchar) as service_plan_id
  from held as h
  cross join unnest(h.disabled_plan_ids) as t(plan_id)
),

entitled as (
  select
    h.tenant_id,
    h.user_id,
    p.product_family,
    k.product_name,
    case
      when p.entitlement = 'desktop' and o.sku_id is null and k.is_managed then 1
      when p.entitlement = 'desktop' and o.sku_id is null then 2
      when p.entitlement = 'desktop' then 3
      when o.sku_id is null then 4
    end as strength
  from held as h
  join {{ ref('int_skus') }} as k on k.tenant_id = h.tenant_id and k.sku_id = h.sku_id
  join {{ ref('int_product_skus') }} as p on p.tenant_id = h.tenant_id and p.sku_id = h.sku_id
  left join switched_off as o
    on o.tenant_id = h.tenant_id and o.user_id = h.user_id and o.sku_id = h.sku_id and o.service_plan_id = p.service_plan_id
  where p.entitlement in ('desktop', 'web')
),

strongest as (
  select e.*, min(strength) over (partition by tenant_id, user_id, product_family) as best
  from entitled as e
  where strength is not null
)

select
  tenant_id,
  user_id,
  product_family,
  case best
    when 1 then 'desktop'
    when 2 then 'not_managed'
    when 3 then 'switched_off'
    else 'web'
  end as license_right,
  case
    when best <> 2 then array_join(array_agg(distinct product_name order by product_name), ', ')
  end as license_names
from strongest
where strength = best
group by 1, 2, 3, best
