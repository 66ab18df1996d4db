-- Grain: one row per user some of whose licences one cheaper licence covers.
with part_names as (
  select c.basket, array_join(array_agg(k.product_name order by k.product_name, l.sku_id), ', ') as parts
  from {{ ref('int_basket_consolidations') }} as c
  join {{ ref('int_basket_licenses') }} as l on l.basket = c.basket
  join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
  where c.part_sku_ids like '%' || l.sku_id || '%'
  group by 1
)

select
  b.tenant_id,
  u.as_of_date,
  b.user_id,
  u.user_principal_name,
  c.suite_sku_id,
  coalesce(k.product_name, n.product_name, c.suite_sku_id) as suite_product_name,
  case when c.parts = 1 then 'step_down' else 'suite_for_parts' end as rule,
  c.part_sku_ids,
  p.parts,
  cast(c.plans as integer) as plans,
  cast(cast(c.part_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_cost_of_parts,
  cast(cast(c.suite_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_cost_of_suite,
  cast(cast(c.part_cents - c.suite_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_saving,
  c.currency,
  c.is_estimate,
  d.condition as needs_confirmation
from {{ ref('int_basket_consolidations') }} as c
join {{ ref('int_user_baskets') }} as b on b.basket = c.basket
join part_names as p on p.basket = c.basket
left join {{ ref('int_users') }} as u on u.tenant_id = b.tenant_id and u.user_id = b.user_id
left join {{ ref('int_skus') }} as k on k.tenant_id = c.tenant_id and k.sku_id = c.suite_sku_id
left join {{ ref('stg_catalog_skus') }} as n on n.sku_id = c.suite_sku_id
left join {{ ref('suite_conditions') }} as d on lower(d.sku_id) = c.suite_sku_id
