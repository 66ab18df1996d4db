-- Each plan of a licence that could go is covered by a licence that stays.
with kept as (
  select l.basket, l.variant
  from {{ ref('int_basket_licenses') }} as l
  left join {{ ref('int_basket_removals') }} as r on r.basket = l.basket and r.variant = l.variant
  where r.basket is null
),

covered as (
  select distinct r.basket, r.variant, v.plan_key
  from {{ ref('int_basket_removals') }} as r
  join kept as k on k.basket = r.basket
  join {{ ref('int_variant_coverage') }} as v on v.variant = r.variant and v.by_variant = k.variant
)

select r.basket, r.variant, p.service_plan_name
from {{ ref('int_basket_removals') }} as r
join {{ ref('int_variant_plans') }} as p on p.variant = r.variant
left join covered as c on c.basket = r.basket and c.variant = r.variant and c.plan_key = p.plan_key
where c.basket is null
