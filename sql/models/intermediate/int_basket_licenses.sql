-- Grain: one row per basket and licence in it.
with holders as (
  select basket, min(user_id) as user_id, min(tenant_id) as tenant_id
  from {{ ref('int_user_baskets') }}
  group by 1
),

members as (
  select b.basket, h.tenant_id, h.sku_id, h.assigned_by, h.variant, h.cloud
  from holders as b
  join {{ ref('int_user_variants') }} as h on h.tenant_id = b.tenant_id and h.user_id = b.user_id
),

plans as (
  select variant, count(*) as plans
  from {{ ref('int_variant_plans') }}
  group by 1
)

select
  m.basket,
  m.tenant_id,
  m.sku_id,
  m.variant,
  m.cloud,
  coalesce(m.assigned_by = 'direct', false) as is_direct,
  coalesce(p.plans, 0) as plans
from members as m
left join plans as p on p.variant = m.variant
