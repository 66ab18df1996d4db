-- Grain: one row per tenant, SKU, product family and kind of entitlement that a plan of the SKU gives today.
-- A tenant is told of its own SKUs' plans; of SKUs it was told nothing of, the plans are the catalogue's.
with told as (
  select p.tenant_id, p.sku_id, p.service_plan_id
  from {{ ref('stg_service_plans') }} as p
  join {{ ref('int_coverage') }} as c on c.tenant_id = p.tenant_id and c.logical_date = p.snapshot_date
  where c.table_name = 'graph_service_plans' and c.is_measured
),

told_skus as (
  select distinct tenant_id, sku_id from told
),

plans as (
  select tenant_id, sku_id, service_plan_id from told
  union
  select k.tenant_id, k.sku_id, p.service_plan_id
  from {{ ref('int_skus') }} as k
  join {{ ref('stg_catalog_plans') }} as p on p.sku_id = k.sku_id
  left join told_skus as t on t.tenant_id = k.tenant_id and t.sku_id = k.sku_id
  where t.sku_id is null
)

select
  p.tenant_id,
  p.sku_id,
  f.product_family,
  f.entitlement,
  p.service_plan_id
from plans as p
join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = p.tenant_id
join {{ ref('product_family_plans') }} as f on lower(f.service_plan_id) = p.service_plan_id
where (f.effective_date is null or f.effective_date <= t.as_of_date)
  and (f.ending_date is null or f.ending_date > t.as_of_date)
