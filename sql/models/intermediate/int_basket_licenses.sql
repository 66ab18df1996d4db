-- Grain: one row per basket and licence in it.
with holders as (
  select basket, min(user_id) as user_id, min(tenant_id) as tenant_id
  from {{ ref('int_user_baskets') }}
  group by 1
),

plans as (
  select variant, count(*) as plans
  from {{ ref('int_variant_plans') }}
  group by 1
)

select
  b.basket,
  h.tenant_id,
  h.sku_id,
  v.variant,
  v.cloud,
  coalesce(h.assigned_by = 'direct', false) as is_direct,
  coalesce(p.plans, 0) as plans
from holders as b
join {{ ref('int_held_licenses') }} as h on h.tenant_id = b.tenant_id and h.user_id = b.user_id
join {{ ref('int_license_variants') }} as v on v.tenant_id = h.tenant_id and v.sku_id = h.sku_id and v.off_key = h.off_key
left join plans as p on p.variant = v.variant
