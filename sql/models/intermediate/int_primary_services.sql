-- Grain: one row per tenant, SKU that a rule of primary services names, and primary service of it.
with rules as (
  select
    priority,
    service,
    reach,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('primary_service_rules') }}
),

matched as (
  select k.tenant_id, k.sku_id, min(r.priority) as priority
  from {{ ref('int_skus') }} as k
  cross join rules as r
  where lower(k.sku_part_number) like r.like_pattern escape '!'
  group by 1, 2
)

select m.tenant_id, m.sku_id, r.service, r.reach
from matched as m
join rules as r on r.priority = m.priority
