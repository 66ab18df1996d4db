-- Grain: one row per tenant, SKU and set of its plans that are switched off for somebody: users with the same variant have
-- the same plans of the SKU.
with distinct_variants as (
  select
    tenant_id,
    sku_id,
    off_key,
    any_value(disabled_plan_ids) as disabled_plan_ids
  from {{ ref('int_held_licenses') }}
  group by 1, 2, 3
)

select
  v.tenant_id,
  v.sku_id,
  v.off_key,
  v.disabled_plan_ids,
  c.cloud,
  row_number() over (order by v.tenant_id, v.sku_id, v.off_key) as variant
from distinct_variants as v
join {{ ref('int_sku_classes') }} as c on c.tenant_id = v.tenant_id and c.sku_id = v.sku_id
