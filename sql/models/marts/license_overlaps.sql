-- Grain: one row per user and licence that the user's other licences cover; all rows of a user can be taken away together.
select
  b.tenant_id,
  u.as_of_date,
  b.user_id,
  u.user_principal_name,
  o.sku_id,
  k.sku_part_number,
  k.product_name,
  o.covering_sku_ids,
  o.covered_by,
  o.rule,
  o.plans,
  o.covered_plans,
  h.assigned_by,
  cast(cast(p.unit_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_saving,
  p.currency,
  coalesce(p.is_estimate, false) as is_estimate,
  o.needs_confirmation
from {{ ref('int_basket_overlaps') }} as o
join {{ ref('int_user_baskets') }} as b on b.basket = o.basket
join {{ ref('int_user_variants') }} as h on h.tenant_id = b.tenant_id and h.user_id = b.user_id and h.sku_id = o.sku_id
join {{ ref('int_skus') }} as k on k.tenant_id = o.tenant_id and k.sku_id = o.sku_id
left join {{ ref('int_users') }} as u on u.tenant_id = b.tenant_id and u.user_id = b.user_id
left join {{ ref('int_unit_prices') }} as p on p.tenant_id = o.tenant_id and p.sku_id = o.sku_id
