-- Grain: one row per basket and licence each of whose plans some other licence of the basket covers.
with counts as (
  select variant, by_variant, count(*) as plans
  from {{ ref('int_variant_coverage') }}
  group by 1, 2
),

-- Cheap to reckon, and most licences fail it: the others cover as many plans as there are, counted with repeats.
likely as (
  select m.basket, m.variant, m.plans
  from {{ ref('int_basket_licenses') }} as m
  join {{ ref('int_basket_licenses') }} as o on o.basket = m.basket
  join counts as c on c.variant = m.variant and c.by_variant = o.variant
  group by 1, 2, 3
  having sum(c.plans) >= m.plans
)

select l.basket, l.variant
from likely as l
join {{ ref('int_basket_licenses') }} as o on o.basket = l.basket
join {{ ref('int_variant_coverage') }} as c on c.variant = l.variant and c.by_variant = o.variant
group by l.basket, l.variant, l.plans
having count(distinct c.plan_key) = l.plans
