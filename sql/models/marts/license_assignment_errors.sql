-- Grain: one row per user and managed SKU whose assignment failed, whether or not the user holds the licence some other way.
select
  l.tenant_id,
  l.user_id,
  l.sku_id,
  k.sku_part_number,
  k.product_name,
  max(l.assigned_by) as assigned_by,
  max(l.assignment_state) as assignment_state,
  max(l.assignment_error) as assignment_error,
  bool_or(l.holds_seat) as holds_seat
from {{ ref('int_user_licenses') }} as l
join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
where k.is_managed and (l.assignment_error is not null or l.assignment_state in ('Error', 'ActiveWithError'))
group by 1, 2, 3, 4, 5
