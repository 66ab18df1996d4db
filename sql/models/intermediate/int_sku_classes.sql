-- Grain: one row per tenant and SKU whose plans are known: to whom it is assigned, and in which cloud it works.
-- The rule with the lowest priority that matches decides; a SKU that none matches is a user's, in the commercial cloud.
with skus as (
  select distinct p.tenant_id, p.sku_id, coalesce(k.sku_part_number, c.sku_part_number) as sku_part_number, k.applies_to
  from {{ ref('int_sku_plans') }} as p
  left join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id
  left join {{ ref('stg_catalog_skus') }} as c on c.sku_id = p.sku_id
),

rules as (
  select
    kind,
    priority,
    field,
    value,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('sku_assignment_classes') }}
),

matched as (
  select
    s.tenant_id,
    s.sku_id,
    min_by(case when r.kind = 'assignment_class' then r.value end, case when r.kind = 'assignment_class' then r.priority end) as assignment_class,
    min_by(case when r.kind = 'cloud' then r.value end, case when r.kind = 'cloud' then r.priority end) as cloud
  from skus as s
  cross join rules as r
  where lower(case r.field when 'applies_to' then s.applies_to when 'sku_id' then s.sku_id else s.sku_part_number end)
    like r.like_pattern escape '!'
  group by 1, 2
)

select
  s.tenant_id,
  s.sku_id,
  coalesce(m.assignment_class, 'user') as assignment_class,
  coalesce(m.cloud, 'commercial') as cloud
from skus as s
left join matched as m on m.tenant_id = s.tenant_id and m.sku_id = s.sku_id
