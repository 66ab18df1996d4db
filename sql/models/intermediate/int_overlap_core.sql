-- Grain: one row per basket and licence that is redundant only while other such licences stay, by its place in the order of
-- removal: of each circle of equals some must stay.
with kept as (
  select l.basket, l.variant
  from {{ ref('int_basket_licenses') }} as l
  left join {{ ref('int_overlap_candidates') }} as c on c.basket = l.basket and c.variant = l.variant
  where c.basket is null
),

covered_by_kept as (
  select c.basket, c.variant, count(distinct v.plan_key) as plans
  from {{ ref('int_overlap_candidates') }} as c
  join kept as k on k.basket = c.basket
  join {{ ref('int_variant_coverage') }} as v on v.variant = c.variant and v.by_variant = k.variant
  group by 1, 2
)

select
  l.basket,
  l.variant,
  l.sku_id,
  l.is_direct,
  p.unit_cents,
  row_number() over (partition by l.basket order by coalesce(p.unit_cents, 0) desc, case when l.is_direct then 0 else 1 end, l.sku_id) as place
from {{ ref('int_overlap_candidates') }} as c
join {{ ref('int_basket_licenses') }} as l on l.basket = c.basket and l.variant = c.variant
left join covered_by_kept as k on k.basket = c.basket and k.variant = c.variant
left join {{ ref('int_unit_prices') }} as p on p.tenant_id = l.tenant_id and p.sku_id = l.sku_id
where coalesce(k.plans, 0) < l.plans
